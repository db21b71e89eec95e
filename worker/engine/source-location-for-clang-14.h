#pragma once
// std::source_location for compilers whose standard library does not have it; included ahead of everything in the
// translation units that include V8, if meson.build finds it missing.
//
// V8's headers name the type (v8-source-location.h). libstdc++ defines it only if the compiler has
// __builtin_source_location, which clang has since version 15. Values of it pass between V8 and us, so what counts is the
// layout: one pointer, in libstdc++ and libc++ alike, to a record that the compiler lays out. A null pointer is the
// standard's "unspecified" location, which both know how to read. That is all that current() gives here: V8 uses locations
// for tracing only.

#include <cstdint>
#include <source_location>

#ifndef __cpp_lib_source_location
#define __cpp_lib_source_location 201907L

namespace std {

struct source_location {
 private:
  struct Record {
    const char* fileName;
    const char* functionName;
    unsigned line;
    unsigned column;
  };
  const Record* record = nullptr;

 public:
  // Not consteval: clang 14 takes no default argument that is.
  static constexpr source_location current() noexcept { return {}; }

  constexpr uint_least32_t line() const noexcept { return record != nullptr ? record->line : 0; }
  constexpr uint_least32_t column() const noexcept { return record != nullptr ? record->column : 0; }
  constexpr const char* file_name() const noexcept { return record != nullptr ? record->fileName : ""; }
  constexpr const char* function_name() const noexcept { return record != nullptr ? record->functionName : ""; }
};

static_assert(sizeof(source_location) == sizeof(void*));

}  // namespace std
#endif
