#include "worker/engine/native.h"

namespace glovebox {

std::vector<NativeFunction> allNatives() {
  std::vector<NativeFunction> all;
  for (auto part : {hostNatives(), rpcNatives(), webNatives(), nodeNatives()}) all.insert(all.end(), part.begin(), part.end());
  return all;
}

namespace {
v8::Local<v8::String> text(v8::Isolate* isolate, const char* message) {
  return v8::String::NewFromUtf8(isolate, message).ToLocalChecked();
}
}  // namespace

void throwTypeError(v8::Isolate* isolate, const char* message) {
  isolate->ThrowException(v8::Exception::TypeError(text(isolate, message)));
}
void throwRangeError(v8::Isolate* isolate, const char* message) {
  isolate->ThrowException(v8::Exception::RangeError(text(isolate, message)));
}
void throwError(v8::Isolate* isolate, const char* message) {
  isolate->ThrowException(v8::Exception::Error(text(isolate, message)));
}

}  // namespace glovebox
