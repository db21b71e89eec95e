#include "worker/uncaught.h"

#include "worker/web/hooks.h"

namespace glovebox {

namespace {

std::string text(v8::Isolate* isolate, v8::Local<v8::Value> value) {
  v8::String::Utf8Value utf8(isolate, value);
  return *utf8 ? std::string(*utf8, size_t(utf8.length())) : std::string();
}

// No more of it than a log keeps: a message may be as long as a string can be.
std::string beginning(v8::Isolate* isolate, v8::Local<v8::String> value) {
  std::string result(LogBuffer::LINE_BYTES_MAX, '\0');
  result.resize(value->WriteUtf8V2(isolate, result.data(), result.size(), v8::String::WriteFlags::kReplaceInvalidUtf8));
  return result;
}

v8::Local<v8::String> literal(v8::Isolate* isolate, const char* text) {
  return v8::String::NewFromUtf8(isolate, text, v8::NewStringType::kInternalized).ToLocalChecked();
}

// The text under `key` that the object or one of its prototypes holds as plain data; empty if it is something else.
std::string heldText(v8::Isolate* isolate, v8::Local<v8::Object> object, v8::Local<v8::String> key) {
  constexpr int PROTOTYPES_MAX = 16;
  auto context = isolate->GetCurrentContext();
  v8::Local<v8::Value> holder = object;
  for (int i = 0; i < PROTOTYPES_MAX && holder->IsObject() && !holder->IsProxy(); ++i) {
    auto at = holder.As<v8::Object>();
    v8::Local<v8::Value> found, value;
    if (!at->GetOwnPropertyDescriptor(context, key).ToLocal(&found)) return {};
    if (found->IsObject()) {
      // A plain object of V8's own making; a getter is not called, and has no `value`.
      auto descriptor = found.As<v8::Object>();
      auto name = literal(isolate, "value");
      bool holds = descriptor->HasOwnProperty(context, name).FromMaybe(false);
      if (!holds || !descriptor->Get(context, name).ToLocal(&value) || !value->IsString()) return {};
      return beginning(isolate, value.As<v8::String>());
    }
    holder = at->GetPrototypeV2();
  }
  return {};
}

// As V8 writes it, from what it remembers; the object is not asked.
std::string framesOf(v8::Isolate* isolate, v8::Local<v8::Value> exception) {
  auto stack = v8::Exception::GetStackTrace(exception);
  int frames = stack.IsEmpty() ? 0 : stack->GetFrameCount();
  std::string result;
  for (int i = 0; i < frames && i < 10; ++i) {
    auto frame = stack->GetFrame(isolate, uint32_t(i));
    auto script = frame->GetScriptName().IsEmpty() ? std::string() : text(isolate, frame->GetScriptName());
    if (script.empty() || script == "glovebox:runtime") continue;
    auto function = frame->GetFunctionName().IsEmpty() ? std::string() : text(isolate, frame->GetFunctionName());
    auto place = script + ":" + std::to_string(frame->GetLineNumber()) + ":" + std::to_string(frame->GetColumn());
    result += function.empty() ? "\n    at " + place : "\n    at " + function + " (" + place + ")";
  }
  return result;
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

ThrownLine describeThrown(v8::Isolate* isolate, v8::Local<v8::Value> exception, double time) {
  v8::HandleScope scope(isolate);
  v8::TryCatch ignore(isolate);
  ThrownLine line;
  line.time = time;
  if (exception->IsProxy()) {
    line.message = "a Proxy";
    return line;
  }
  v8::Local<v8::Value> parts;
  if (exception->IsObject() && callHook(isolate->GetCurrentContext(), "domExceptionParts", {&exception, 1}).ToLocal(&parts) && parts->IsArray()) {
    auto at = [&](uint32_t index) {
      v8::Local<v8::Value> part;
      return parts.As<v8::Array>()->Get(isolate->GetCurrentContext(), index).ToLocal(&part) && part->IsString() ? beginning(isolate, part.As<v8::String>()) : std::string();
    };
    line.name = at(0);
    line.message = at(1);
    line.stack = line.name + ": " + line.message + framesOf(isolate, exception);
  } else if (exception->IsNativeError()) {
    auto error = exception.As<v8::Object>();
    line.name = heldText(isolate, error, literal(isolate, "name"));
    line.message = heldText(isolate, error, literal(isolate, "message"));
    line.stack = (line.name.empty() ? "Error" : line.name) + (line.message.empty() ? "" : ": " + line.message) + framesOf(isolate, exception);
  } else if (exception->IsObject()) {
    line.message = "an object of the class " + beginning(isolate, exception.As<v8::Object>()->GetConstructorName());
  } else {
    v8::Local<v8::String> shown;
    if (exception->ToDetailString(isolate->GetCurrentContext()).ToLocal(&shown)) line.message = beginning(isolate, shown);
  }
  return line;
}

}  // namespace glovebox
