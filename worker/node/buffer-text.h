#pragma once
// Text to bytes and back, by the encodings that a Buffer knows.

#include <v8.h>

#include <cstdint>
#include <string>

#include "worker/web/strings.h"

namespace glovebox {

// As Node.js numbers them (its internalBinding('string_decoder').encodings).
enum class BufferEncoding : uint8_t { ASCII, UTF8, BASE64, UCS2, LATIN1, HEX, BUFFER, BASE64URL };

// No more than `into` holds, and no part of a character. Returns the bytes written.
size_t writeText(v8::Isolate* isolate, v8::Local<v8::String> text, BufferEncoding encoding, Bytes into);

// All of it.
std::string encodeText(v8::Isolate* isolate, v8::Local<v8::String> text, BufferEncoding encoding);

// Throws what Node.js throws: an error with a `code`.
void throwCoded(v8::Isolate* isolate, bool isRange, const char* code, const std::string& message);

}  // namespace glovebox
