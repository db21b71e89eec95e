#include "worker/web/hooks.h"

namespace glovebox {
namespace {

// Slot 0 is the debugger's by convention.
constexpr int HOOKS_SLOT = 1;

void provideHooks(const v8::FunctionCallbackInfo<v8::Value>& info) {
  info.GetIsolate()->GetCurrentContext()->SetEmbedderData(HOOKS_SLOT, info[0]);
}

constexpr NativeFunction NATIVES[] = {{"provideHooks", provideHooks}};

}  // namespace

std::span<const NativeFunction> hookNatives() { return NATIVES; }

v8::Local<v8::Object> runtimeHooks(v8::Local<v8::Context> context) {
  return context->GetEmbedderData(HOOKS_SLOT).As<v8::Object>();
}

v8::MaybeLocal<v8::Value> callHook(v8::Local<v8::Context> context, const char* name, std::span<v8::Local<v8::Value>> args) {
  auto* isolate = v8::Isolate::GetCurrent();
  auto hooks = runtimeHooks(context);
  v8::Local<v8::String> key;
  v8::Local<v8::Value> hook;
  if (!v8::String::NewFromUtf8(isolate, name, v8::NewStringType::kInternalized).ToLocal(&key) ||
      !hooks->Get(context, key).ToLocal(&hook)) {
    return {};
  }
  return hook.As<v8::Function>()->Call(context, v8::Undefined(isolate), int(args.size()), args.data());
}

}  // namespace glovebox
