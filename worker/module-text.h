#pragma once
// The text of a module as V8's string. ASCII stays where it is instead of being copied into V8's heap: for a bundle of 1 MB
// that is 250 pages touched less.

#include <v8.h>

#include <string>
#include <string_view>

namespace glovebox {

// Empty: it is longer than strings may be; no exception is pending.
v8::MaybeLocal<v8::String> makeModuleText(v8::Isolate* isolate, std::string text);
// Nor is it copied before: it stays where it is as long as the process lives.
v8::MaybeLocal<v8::String> makeModuleTextInPlace(v8::Isolate* isolate, std::string_view text);

}  // namespace glovebox
