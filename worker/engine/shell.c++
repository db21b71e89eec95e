#include "worker/engine/shell.h"

#include <v8.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "worker/engine/engine.h"
#include "worker/engine/shell-tools.h"

namespace glovebox {

namespace {

int exitCode = 0;

void print(const v8::FunctionCallbackInfo<v8::Value>& info) {
  for (int i = 0; i < info.Length(); ++i) {
    v8::String::Utf8Value text(info.GetIsolate(), info[i]);
    printf("%s%s", i == 0 ? "" : " ", *text ? *text : "?");
  }
  printf("\n");
}

void report(v8::Isolate* isolate, v8::Local<v8::Context> context, v8::Local<v8::Value> exception) {
  v8::TryCatch ignore(isolate);
  v8::Local<v8::Value> stack;
  if (!exception->IsNativeError() ||
      !exception.As<v8::Object>()->Get(context, v8::String::NewFromUtf8Literal(isolate, "stack")).ToLocal(&stack)) {
    stack = exception;
  }
  fprintf(stderr, "%s\n", *v8::String::Utf8Value(isolate, stack));
  exitCode = 1;
}

void onRejection(v8::PromiseRejectMessage message) {
  auto* isolate = v8::Isolate::GetCurrent();
  if (message.GetEvent() != v8::kPromiseRejectWithNoHandler) return;
  // Told apart from a rejection that is handled a moment later by looking again after the microtasks.
  auto* pending = static_cast<std::vector<v8::Global<v8::Promise>>*>(isolate->GetData(1));
  pending->emplace_back(isolate, message.GetPromise());
}

}  // namespace

int runScript(Engine& engine, const std::string& path) {
  auto* isolate = engine.isolate();
  v8::HandleScope scope(isolate);
  auto context = engine.context();
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    fprintf(stderr, "cannot read %s\n", path.c_str());
    return 1;
  }
  std::stringstream source;
  source << file.rdbuf();
  std::vector<v8::Global<v8::Promise>> rejected;
  isolate->SetData(1, &rejected);
  isolate->SetPromiseRejectCallback(onRejection);
  auto global = context->Global();
  global->Set(context, v8::String::NewFromUtf8Literal(isolate, "print"),
              v8::Function::New(context, print).ToLocalChecked()).Check();
  installShellTools(engine, context);
  v8::TryCatch tryCatch(isolate);
  v8::ScriptOrigin origin(v8::String::NewFromUtf8(isolate, path.c_str()).ToLocalChecked());
  v8::Local<v8::Script> script;
  if (!v8::Script::Compile(context, v8::String::NewFromUtf8(isolate, source.str().c_str()).ToLocalChecked(), &origin)
           .ToLocal(&script) ||
      script->Run(context).IsEmpty()) {
    report(isolate, context, tryCatch.Exception());
    return 1;
  }
  isolate->PerformMicrotaskCheckpoint();
  // Time passes only in the queue: a test of timers waits for nothing.
  for (Timers::Due due; engine.timers.takeDue(isolate, engine.timers.nextDeadlineMs(), due);) {
    isolate->SetContinuationPreservedEmbedderDataV2(due.continuation);
    if (due.callback->Call(context, v8::Undefined(isolate), 0, nullptr).IsEmpty()) {
      report(isolate, context, tryCatch.Exception());
      tryCatch.Reset();
    }
    isolate->PerformMicrotaskCheckpoint();
    (void)engine.pumpTasks();
  }
  for (auto& line : engine.logs.take(SIZE_MAX)) printf("console: %s\n", line.text.c_str());
  for (auto& promise : rejected) {
    auto local = promise.Get(isolate);
    if (local->State() == v8::Promise::kRejected && !local->HasHandler()) report(isolate, context, local->Result());
  }
  return exitCode;
}

}  // namespace glovebox
