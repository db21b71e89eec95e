#include "worker/uncaught.h"

namespace glovebox {

namespace {

std::string text(v8::Isolate* isolate, v8::Local<v8::Value> value) {
  v8::String::Utf8Value utf8(isolate, value);
  return *utf8 ? std::string(*utf8, size_t(utf8.length())) : std::string();
}

}  // namespace

std::string describeUncaught(v8::Isolate* isolate, v8::Local<v8::Value> exception, v8::Local<v8::Message> message) {
  v8::TryCatch ignore(isolate);
  if (message.IsEmpty()) message = v8::Exception::CreateMessage(isolate, exception);
  std::string result = text(isolate, message->Get());
  auto context = isolate->GetCurrentContext();
  auto stack = v8::Exception::GetStackTrace(exception);
  if (stack.IsEmpty()) stack = message->GetStackTrace();
  int frames = stack.IsEmpty() ? 0 : stack->GetFrameCount();
  bool any = false;
  for (int i = 0; i < frames && i < 10; ++i) {
    auto frame = stack->GetFrame(isolate, uint32_t(i));
    auto script = frame->GetScriptName().IsEmpty() ? std::string() : text(isolate, frame->GetScriptName());
    if (script.empty() || script == "glovebox:runtime") continue;
    any = true;
    result += "\n  at " + script + ":" + std::to_string(frame->GetLineNumber()) + ":" + std::to_string(frame->GetColumn());
    auto function = frame->GetFunctionName().IsEmpty() ? std::string() : text(isolate, frame->GetFunctionName());
    if (!function.empty()) result += " in " + function;
  }
  if (!any) {
    // A syntax error has no stack, but a place. Its column counts from 0, as in Worker Loader's texts.
    auto script = text(isolate, message->GetScriptResourceName());
    int line = message->GetLineNumber(context).FromMaybe(0);
    if (message->GetScriptResourceName()->IsString() && !script.empty() && line > 0 && script != "glovebox:runtime") {
      result += "\n  at " + script + ":" + std::to_string(line) + ":" +
                std::to_string(message->GetStartColumn(context).FromMaybe(0));
    }
  }
  return result;
}

}  // namespace glovebox
