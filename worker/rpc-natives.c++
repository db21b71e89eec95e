// What ipc/js needs of Cap'n Proto, for the worker: see ipc/js/wire.ts, and worker/runtime/native.d.ts for the shapes.

#include "worker/engine/engine.h"
#include "worker/engine/native.h"

namespace glovebox {

namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;

CallObserver& calls(const Info& info) { return *Engine::of(info.GetIsolate()).calls; }
uint64_t number(v8::Local<v8::Value> value) { return uint64_t(value.As<v8::Number>()->Value()); }
void answer(const Info& info, uint64_t id) { info.GetReturnValue().Set(double(id)); }

void settle(const Info& info) {
  info.GetReturnValue().Set(calls(info).settle(number(info[0]), info[1]->IsTrue(), info[2], number(info[3]), info[4]->IsTrue()));
}

void invocationEnded(const Info& info) {
  Engine::of(info.GetIsolate()).timers.clearOf(number(info[0]));
  calls(info).invocationEnded(number(info[0]));
}

void rpcCall(const Info& info) { answer(info, calls(info).call(number(info[0]), info[1].As<v8::Array>(), info[2])); }
void rpcRelease(const Info& info) { calls(info).release(number(info[0])); }
void rpcLoopback(const Info& info) { answer(info, calls(info).loopback(number(info[0]))); }
void rpcLoad(const Info& info) { answer(info, calls(info).load(number(info[0]), info[1].As<v8::Object>())); }
void rpcGet(const Info& info) { answer(info, calls(info).get(number(info[0]), info[1].As<v8::String>(), number(info[2]))); }
void rpcGiveCode(const Info& info) { calls(info).giveCode(number(info[0]), info[1].As<v8::Object>()); }
void rpcByName(const Info& info) {
  answer(info, calls(info).byName(number(info[0]), uint32_t(number(info[1])), info[2].As<v8::String>()));
}
void abortIsolate(const Info& info) { calls(info).abortIsolate(); }
void rpcRevoke(const Info& info) { calls(info).revoke(number(info[0])); }
void rpcPromise(const Info& info) { answer(info, calls(info).promise()); }
void rpcResolve(const Info& info) { calls(info).resolve(number(info[0]), number(info[1])); }
void rpcReject(const Info& info) { calls(info).reject(number(info[0]), info[1].As<v8::String>()); }

void rpcEntrypoint(const Info& info) {
  CallObserver::Entrypoint entrypoint{info[1].As<v8::String>(), info[2], info[3]};
  answer(info, calls(info).entrypoint(number(info[0]), entrypoint));
}

constexpr NativeFunction NATIVES[] = {
    {"settle", settle},           {"invocationEnded", invocationEnded}, {"rpcCall", rpcCall},
    {"rpcRelease", rpcRelease},   {"rpcLoopback", rpcLoopback},         {"rpcLoad", rpcLoad},
    {"rpcEntrypoint", rpcEntrypoint}, {"rpcRevoke", rpcRevoke},     {"rpcPromise", rpcPromise},
    {"rpcResolve", rpcResolve},   {"rpcReject", rpcReject},         {"rpcGet", rpcGet},
    {"rpcGiveCode", rpcGiveCode}, {"rpcByName", rpcByName},         {"abortIsolate", abortIsolate},
};

}  // namespace

std::span<const NativeFunction> rpcNatives() { return NATIVES; }

}  // namespace glovebox
