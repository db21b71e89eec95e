#include "worker/web/html-rewriter.h"

#include "worker/engine/engine.h"

namespace glovebox {
namespace {

void htmlRewriterModule(const v8::FunctionCallbackInfo<v8::Value>& info) {
  auto* isolate = info.GetIsolate();
  if (!Engine::of(isolate).webAssembly) {
    return throwError(isolate, "HTMLRewriter needs WebAssembly, which the profile of this sandbox does not have.");
  }
  auto bytes = htmlRewriterBytes();
  v8::Local<v8::WasmModuleObject> module;
  if (v8::WasmModuleObject::Compile(isolate, {bytes.data(), bytes.size()}).ToLocal(&module)) info.GetReturnValue().Set(module);
}

constexpr NativeFunction NATIVES[] = {{"htmlRewriterModule", htmlRewriterModule}};

}  // namespace

std::span<const NativeFunction> htmlRewriterNatives() { return NATIVES; }

}  // namespace glovebox
