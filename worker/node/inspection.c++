// What util.inspect(), util.types and the comparisons of assert ask about values. None of it runs user code, but for getters of a
// proxy's handler, which are not asked.

#include "worker/node/natives.h"

namespace glovebox {
namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;
using v8::Local;

template <bool (v8::Value::*IS)() const>
void is(const Info& info) { info.GetReturnValue().Set((info[0].operator*()->*IS)()); }

void isBoxedPrimitive(const Info& info) {
  auto value = info[0];
  info.GetReturnValue().Set(value->IsNumberObject() || value->IsStringObject() || value->IsBooleanObject() || value->IsBigIntObject() ||
                            value->IsSymbolObject());
}

// (object, v8::PropertyFilter)
void ownNonIndexProperties(const Info& info) {
  auto* isolate = info.GetIsolate();
  if (!info[0]->IsObject()) return;
  uint32_t filter = info[1]->IsUint32() ? info[1].As<v8::Uint32>()->Value() : 0;
  Local<v8::Array> names;
  if (info[0].As<v8::Object>()->GetPropertyNames(isolate->GetCurrentContext(), v8::KeyCollectionMode::kOwnOnly,
                                                 v8::PropertyFilter(filter & (v8::ONLY_ENUMERABLE | v8::ONLY_CONFIGURABLE | v8::SKIP_SYMBOLS)),
                                                 v8::IndexFilter::kSkipIndices).ToLocal(&names)) {
    info.GetReturnValue().Set(names);
  }
}

// (iterator or collection, also whether it is of pairs)
void previewEntries(const Info& info) {
  auto* isolate = info.GetIsolate();
  bool isKeyValue = false;
  Local<v8::Array> entries;
  if (!info[0]->IsObject() || !info[0].As<v8::Object>()->PreviewEntries(&isKeyValue).ToLocal(&entries)) return;
  if (info.Length() == 1) return info.GetReturnValue().Set(entries);
  Local<v8::Value> pair[] = {entries, v8::Boolean::New(isolate, isKeyValue)};
  info.GetReturnValue().Set(v8::Array::New(isolate, pair, 2));
}

// [target, handler]; undefined: no proxy.
void proxyDetails(const Info& info) {
  if (!info[0]->IsProxy()) return;
  auto proxy = info[0].As<v8::Proxy>();
  if (info.Length() > 1 && !info[1]->IsTrue()) return info.GetReturnValue().Set(proxy->GetTarget());
  Local<v8::Value> pair[] = {proxy->GetTarget(), proxy->GetHandler()};
  info.GetReturnValue().Set(v8::Array::New(info.GetIsolate(), pair, 2));
}

void promiseDetails(const Info& info) {
  auto* isolate = info.GetIsolate();
  if (!info[0]->IsPromise()) return;
  auto promise = info[0].As<v8::Promise>();
  Local<v8::Value> details[] = {v8::Integer::New(isolate, int(promise->State())), {}};
  if (promise->State() != v8::Promise::kPending) details[1] = promise->Result();
  info.GetReturnValue().Set(v8::Array::New(isolate, details, promise->State() == v8::Promise::kPending ? 1 : 2));
}

void isConstructor(const Info& info) { info.GetReturnValue().Set(info[0]->IsFunction() && info[0].As<v8::Object>()->IsConstructor()); }

// A key that no proxy, no listing of keys and no user code sees.
void privateSymbol(const Info& info) {
  if (info[0]->IsString()) info.GetReturnValue().Set(v8::Private::New(info.GetIsolate(), info[0].As<v8::String>()).As<v8::Value>());
}

// What follows the running code through awaits, timers and calls: worker/runtime/async-context.ts alone uses these two.
void getContinuation(const Info& info) {
  auto data = info.GetIsolate()->GetContinuationPreservedEmbedderDataV2();
  if (!data.IsEmpty() && data->IsValue()) info.GetReturnValue().Set(data.As<v8::Value>());
}

void setContinuation(const Info& info) { info.GetIsolate()->SetContinuationPreservedEmbedderDataV2(info[0]); }

#define IS(name) {"typesIs" #name, is<&v8::Value::Is##name>}
constexpr NativeFunction NATIVES[] = {
  IS(External), IS(Date), IS(ArgumentsObject), IS(BigIntObject), IS(BooleanObject), IS(NumberObject), IS(StringObject), IS(SymbolObject),
  IS(NativeError), IS(RegExp), IS(AsyncFunction), IS(GeneratorFunction), IS(GeneratorObject), IS(Promise), IS(Map), IS(Set),
  IS(MapIterator), IS(SetIterator), IS(WeakMap), IS(WeakSet), IS(ArrayBuffer), IS(DataView), IS(SharedArrayBuffer), IS(Proxy),
  IS(ModuleNamespaceObject),
  {"typesIsBoxedPrimitive", isBoxedPrimitive},
  {"inspectOwnNonIndexProperties", ownNonIndexProperties}, {"inspectPreviewEntries", previewEntries},
  {"inspectProxyDetails", proxyDetails}, {"inspectPromiseDetails", promiseDetails}, {"inspectIsConstructor", isConstructor},
  {"privateSymbol", privateSymbol}, {"getContinuation", getContinuation}, {"setContinuation", setContinuation},
};
#undef IS

}  // namespace

std::span<const NativeFunction> inspectionNatives() { return NATIVES; }

}  // namespace glovebox
