#include "worker/engine/snapshot-builder.h"

#include <v8.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "worker/engine/engine.h"
#include "worker/engine/native.h"

namespace glovebox {

namespace {

std::string describe(v8::Isolate* isolate, v8::Local<v8::Context> context, v8::TryCatch& tryCatch) {
  v8::Local<v8::Value> stack;
  if (tryCatch.StackTrace(context).ToLocal(&stack)) return *v8::String::Utf8Value(isolate, stack);
  return *v8::String::Utf8Value(isolate, tryCatch.Exception());
}

// The bundle is a function body with the parameter `native`; it returns its exports.
v8::Local<v8::Object> runRuntime(v8::Isolate* isolate, v8::Local<v8::Context> context, const std::string& source) {
  v8::TryCatch tryCatch(isolate);
  auto native = v8::Object::New(isolate);
  for (auto& function : allNatives()) {
    auto name = v8::String::NewFromUtf8(isolate, function.name, v8::NewStringType::kInternalized).ToLocalChecked();
    auto made = v8::FunctionTemplate::New(isolate, function.callback, {}, {}, 0, v8::ConstructorBehavior::kThrow)
                    ->GetFunction(context).ToLocalChecked();
    made->SetName(name);
    native->Set(context, name, made).Check();
  }
  auto code = v8::String::NewFromUtf8(isolate, (source + "\nreturn glovebox;").c_str()).ToLocalChecked();
  auto parameter = v8::String::NewFromUtf8Literal(isolate, "native");
  v8::ScriptOrigin origin(v8::String::NewFromUtf8Literal(isolate, "glovebox:runtime"));
  v8::ScriptCompiler::Source compilerSource(code, origin);
  v8::Local<v8::Function> function;
  v8::Local<v8::Value> arguments[] = {native}, result, hooks;
  if (!v8::ScriptCompiler::CompileFunction(context, &compilerSource, 1, &parameter).ToLocal(&function) ||
      !function->Call(context, v8::Undefined(isolate), 1, arguments).ToLocal(&result) || !result->IsObject() ||
      !result.As<v8::Object>()->Get(context, v8::String::NewFromUtf8Literal(isolate, "hooks")).ToLocal(&hooks)) {
    throw std::runtime_error("the runtime failed: " + describe(isolate, context, tryCatch));
  }
  if (!hooks->IsObject()) throw std::runtime_error("the runtime exports no `hooks`");
  return hooks.As<v8::Object>();
}

}  // namespace

void buildSnapshot(const std::string& runtimePath, const std::string& outputPath) {
  std::ifstream file(runtimePath, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + runtimePath);
  std::stringstream source;
  source << file.rdbuf();

  v8::Isolate::CreateParams params;
  params.array_buffer_allocator = bufferAllocator();
  params.external_references = externalReferences();
  v8::SnapshotCreator creator(params);
  auto* isolate = creator.GetIsolate();
  {
    v8::HandleScope scope(isolate);
    auto context = v8::Context::New(isolate);
    v8::Context::Scope contextScope(context);
    auto hooks = runRuntime(isolate, context, source.str());
    creator.SetDefaultContext(context);
    if (creator.AddData(context, hooks) != 0) throw std::runtime_error("hooks must be the first datum of the context");
  }
  auto blob = creator.CreateBlob(v8::SnapshotCreator::FunctionCodeHandling::kKeep);
  if (blob.data == nullptr) throw std::runtime_error("V8 made no snapshot");
  // A snapshot that cannot be rehashed would give every worker on every machine one hash seed.
  if (!blob.CanBeRehashed()) {
    throw std::runtime_error(
        "the runtime leaves something in the heap whose hashes cannot be renewed (a Map or Set that is not empty?)");
  }
  std::ofstream out(outputPath, std::ios::binary | std::ios::trunc);
  out.write(blob.data, blob.raw_size);
  if (!out.flush()) throw std::runtime_error("cannot write " + outputPath);
}

}  // namespace glovebox
