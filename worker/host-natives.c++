// What the runtime asks of the host that runs it: randomness, timers, the console.

#include "worker/engine/engine.h"
#include "worker/engine/native.h"
#include "worker/engine/random.h"
#include "worker/uncaught.h"

#include <cstdio>
#include <cstring>

namespace glovebox {

namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;

void randomDoubles(const Info& info) {
  if (!info[0]->IsFloat64Array()) return throwTypeError(info.GetIsolate(), "expected a Float64Array");
  auto array = info[0].As<v8::Float64Array>();
  auto* values = reinterpret_cast<double*>(static_cast<char*>(array->Buffer()->Data()) + array->ByteOffset());
  fillRandom(values, array->Length() * sizeof(double));
  for (size_t i = 0; i < array->Length(); ++i) {
    uint64_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    values[i] = double(bits >> 11) * 0x1p-53;
  }
}

void setTimer(const Info& info) {
  auto* isolate = info.GetIsolate();
  if (throwIfStartingUp(isolate)) return;
  auto& engine = Engine::of(isolate);
  auto id = engine.timers.set(isolate, info[0].As<v8::Function>(), info[1].As<v8::Number>()->Value(),
                              info[2]->IsTrue(), engine.currentInvocation());
  if (id == 0) {
    return throwError(isolate,
                      "You have exceeded the number of active timeouts you may set. max active timeouts: 10000, "
                      "current active timeouts: 10000");
  }
  info.GetReturnValue().Set(id);
}

void clearTimer(const Info& info) {
  if (info[0]->IsNumber()) Engine::of(info.GetIsolate()).timers.clear(uint32_t(info[0].As<v8::Number>()->Value()));
}

void log(const Info& info) {
  auto* isolate = info.GetIsolate();
  v8::String::Utf8Value text(isolate, info[1]);
  auto level = info[0].As<v8::Int32>()->Value();
  if (level < 0 || level > int(LogLevel::ERROR)) return throwRangeError(isolate, "no such log level");
  auto& engine = Engine::of(isolate);
  engine.logs.add(LogLevel(level), Engine::wallClockMs(), std::string(*text, size_t(text.length())), engine.currentTrace().span);
}

void noteThrown(const Info& info) {
  auto* isolate = info.GetIsolate();
  Engine::of(isolate).logs.addThrown(describeThrown(isolate, info[0], Engine::wallClockMs()));
}

void refuseAtTopLevel(const Info& info) { throwIfStartingUp(info.GetIsolate()); }

void currentInvocation(const Info& info) {
  info.GetReturnValue().Set(double(Engine::of(info.GetIsolate()).currentInvocation()));
}

void traceparent(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto trace = Engine::of(isolate).currentTrace();
  if ((trace.high | trace.low) == 0) return;
  char text[64];
  int size = snprintf(text, sizeof text, "00-%016llx%016llx-%016llx-%02x", (unsigned long long)trace.high, (unsigned long long)trace.low,
                      (unsigned long long)trace.span, trace.flags);
  info.GetReturnValue().Set(v8::String::NewFromUtf8(isolate, text, v8::NewStringType::kNormal, size).ToLocalChecked());
}

void requestTicks(const Info& info) { Engine::of(info.GetIsolate()).ticksWanted = true; }

constexpr NativeFunction NATIVES[] = {
    {"randomDoubles", randomDoubles}, {"setTimer", setTimer},         {"clearTimer", clearTimer},
    {"log", log},                     {"noteThrown", noteThrown},     {"refuseAtTopLevel", refuseAtTopLevel},
    {"currentInvocation", currentInvocation}, {"traceparent", traceparent}, {"requestTicks", requestTicks},
};

}  // namespace

std::span<const NativeFunction> hostNatives() { return NATIVES; }

}  // namespace glovebox
