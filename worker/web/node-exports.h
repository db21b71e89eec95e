#pragma once
// Functions of ada, simdutf and ICU that the engine's executable exports but ships no headers for: prototypes by hand, checked
// against ada 4.0, simdutf 7 and ICU 78. If another engine provider has other versions, this is the only file that knows.

#include <cstddef>
#include <cstdint>

extern "C" {

// ---- ada (include/ada_c.h) ----

struct ada_string { const char* data; size_t length; };
struct ada_owned_string { const char* data; size_t length; };
struct ada_string_pair { ada_string key; ada_string value; };
struct ada_url_components {
  // Offsets into href; all bits set: absent.
  uint32_t protocol_end, username_end, host_start, host_end, port, pathname_start, search_start, hash_start;
};
using ada_url = void*;
using ada_url_search_params = void*;
using ada_url_search_params_entries_iter = void*;

ada_url ada_parse(const char* input, size_t length);
ada_url ada_parse_with_base(const char* input, size_t inputLength, const char* base, size_t baseLength);
bool ada_can_parse(const char* input, size_t length);
bool ada_can_parse_with_base(const char* input, size_t inputLength, const char* base, size_t baseLength);
bool ada_is_valid(ada_url url);
void ada_free(ada_url url);
ada_string ada_get_href(ada_url url);
const ada_url_components* ada_get_components(ada_url url);
bool ada_set_href(ada_url url, const char* input, size_t length);
bool ada_set_protocol(ada_url url, const char* input, size_t length);
bool ada_set_username(ada_url url, const char* input, size_t length);
bool ada_set_password(ada_url url, const char* input, size_t length);
bool ada_set_host(ada_url url, const char* input, size_t length);
bool ada_set_hostname(ada_url url, const char* input, size_t length);
bool ada_set_port(ada_url url, const char* input, size_t length);
bool ada_set_pathname(ada_url url, const char* input, size_t length);
void ada_set_search(ada_url url, const char* input, size_t length);
void ada_set_hash(ada_url url, const char* input, size_t length);
ada_url_search_params ada_parse_search_params(const char* input, size_t length);
void ada_free_search_params(ada_url_search_params params);
void ada_search_params_append(ada_url_search_params params, const char* key, size_t keyLength, const char* value, size_t valueLength);
ada_owned_string ada_search_params_to_string(ada_url_search_params params);
void ada_free_owned_string(ada_owned_string owned);
ada_url_search_params_entries_iter ada_search_params_get_entries(ada_url_search_params params);
bool ada_search_params_entries_iter_has_next(ada_url_search_params_entries_iter iterator);
ada_string_pair ada_search_params_entries_iter_next(ada_url_search_params_entries_iter iterator);
void ada_free_search_params_entries_iter(ada_url_search_params_entries_iter iterator);

// ---- ICU (unicode/ucnv.h, unicode/ucnv_err.h); the suffix is its version ----

struct UConverter;
using UErrorCode = int;   // > 0: failure
constexpr UErrorCode U_ZERO_ERROR = 0, U_BUFFER_OVERFLOW_ERROR = 15;
using UConverterToUCallback = void (*)(const void* context, void* args, const char* codeUnits, int32_t length, int reason,
                                       UErrorCode* error);

UConverter* ucnv_open_78(const char* name, UErrorCode* error);
void ucnv_close_78(UConverter* converter);
void ucnv_reset_78(UConverter* converter);
void ucnv_toUnicode_78(UConverter* converter, char16_t** target, const char16_t* targetLimit, const char** source,
                       const char* sourceLimit, int32_t* offsets, int8_t flush, UErrorCode* error);
void ucnv_setToUCallBack_78(UConverter* converter, UConverterToUCallback action, const void* context,
                            UConverterToUCallback* oldAction, const void** oldContext, UErrorCode* error);
void ucnv_cbToUWriteUChars_78(void* args, const char16_t* source, int32_t length, int32_t offsetIndex, UErrorCode* error);
void UCNV_TO_U_CALLBACK_STOP_78(const void* context, void* args, const char* codeUnits, int32_t length, int reason,
                                UErrorCode* error);

}  // extern "C"

// ---- simdutf (simdutf.h) ----

namespace simdutf {

enum error_code : int { SUCCESS = 0 };
struct result { error_code error; size_t count; };
enum base64_options : uint64_t { base64_default = 0, base64_url = 1 };
enum last_chunk_handling_options : uint64_t { loose = 0 };

bool validate_utf8(const char* bytes, size_t length) noexcept;
bool validate_ascii(const char* bytes, size_t length) noexcept;
result base64_to_binary(const char* input, size_t length, char* output, base64_options options,
                        last_chunk_handling_options lastChunk) noexcept;
size_t binary_to_base64(const char* input, size_t length, char* output, base64_options options) noexcept;

}  // namespace simdutf
