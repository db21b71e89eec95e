#include "worker/web/values.h"

#include "worker/engine/random.h"
#include "worker/engine/value-v8.h"
#include "worker/web/strings.h"

namespace glovebox {
namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;
using v8::Local;

// Of the whole clone. Only a bound against absurdity: the worker's memory limit comes first.
constexpr size_t CLONE_BYTES_MAX = size_t(1) << 30;

void classify(const Info& info) {
  auto value = info[0];
  // In the order of `ValueClass` in native.d.ts.
  int kind = 0;
  if (value->IsProxy()) kind = 1;
  else if (value->IsFunction()) kind = 2;
  else if (value->IsArray()) kind = 3;
  else if (value->IsNativeError()) kind = 4;
  else if (value->IsMap()) kind = 5;
  else if (value->IsSet()) kind = 6;
  else if (value->IsDate()) kind = 7;
  else if (value->IsRegExp()) kind = 8;
  else if (value->IsPromise()) kind = 9;
  else if (value->IsTypedArray()) kind = 10;
  else if (value->IsDataView()) kind = 11;
  else if (value->IsArrayBuffer() || value->IsSharedArrayBuffer()) kind = 12;
  else if (value->IsNumberObject() || value->IsStringObject() || value->IsBooleanObject() || value->IsBigIntObject() ||
           value->IsSymbolObject()) kind = 13;
  else if (value->IsWeakMap() || value->IsWeakSet() || value->IsWeakRef()) kind = 14;
  else if (value->IsMapIterator() || value->IsSetIterator()) kind = 15;
  else if (value->IsGeneratorObject()) kind = 16;
  else if (value->IsModuleNamespaceObject()) kind = 17;
  info.GetReturnValue().Set(kind);
}

void constructorName(const Info& info) {
  if (info[0]->IsObject()) info.GetReturnValue().Set(info[0].As<v8::Object>()->GetConstructorName());
}

void proxyTarget(const Info& info) {
  auto value = info[0];
  // A proxy of proxies is unwrapped to the end; a revoked one has a null target.
  while (value->IsProxy()) value = value.As<v8::Proxy>()->GetTarget();
  info.GetReturnValue().Set(value);
}

void entriesOf(const Info& info) {
  bool isKeyValue = false;
  Local<v8::Array> entries;
  if (info[0]->IsObject() && info[0].As<v8::Object>()->PreviewEntries(&isKeyValue).ToLocal(&entries)) {
    info.GetReturnValue().Set(entries);
  }
}

void promiseState(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto promise = info[0].As<v8::Promise>();
  auto state = promise->State();
  Local<v8::Value> result = v8::Undefined(isolate);
  if (state != v8::Promise::kPending) result = promise->Result();
  Local<v8::Value> pair[] = {v8::Integer::New(isolate, int(state)), result};
  info.GetReturnValue().Set(v8::Array::New(isolate, pair, 2));
}

void primitiveOf(const Info& info) {
  auto value = info[0];
  auto* isolate = info.GetIsolate();
  auto result = info.GetReturnValue();
  if (value->IsNumberObject()) result.Set(value.As<v8::NumberObject>()->ValueOf());
  if (value->IsStringObject()) result.Set(value.As<v8::StringObject>()->ValueOf());
  if (value->IsBooleanObject()) result.Set(v8::Boolean::New(isolate, value.As<v8::BooleanObject>()->ValueOf()));
  if (value->IsBigIntObject()) result.Set(value.As<v8::BigIntObject>()->ValueOf());
  if (value->IsSymbolObject()) result.Set(value.As<v8::SymbolObject>()->ValueOf());
}

void byteLength(const Info& info) { info.GetReturnValue().Set(double(bytesOf(info[0]).size)); }

void fillRandomBytes(const Info& info) {
  auto bytes = bytesOf(info[0]);
  fillRandom(bytes.data, bytes.size);
}

// structuredClone(value, transfer): the caller has checked that `transfer` is an array of distinct, attached ArrayBuffers.
void structuredClone(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto context = isolate->GetCurrentContext();
  v8::LocalVector<v8::ArrayBuffer> transfer(isolate);
  if (info[1]->IsArray()) {
    auto list = info[1].As<v8::Array>();
    for (uint32_t i = 0; i < list->Length(); ++i) {
      Local<v8::Value> item;
      if (!list->Get(context, i).ToLocal(&item)) return;
      if (!item->IsArrayBuffer()) return throwTypeError(isolate, "Value not transferable");
      transfer.push_back(item.As<v8::ArrayBuffer>());
    }
  }
  ValueGraph graph;
  std::vector<NodeRef> nodes;
  ToGraphOptions writing;
  writing.rules = CloneRules::STRUCTURED_CLONE;
  writing.maxBytes = CLONE_BYTES_MAX;
  writing.transfer = &transfer;
  writing.transferredNodes = &nodes;
  if (!toGraph(context, info[0], graph, writing)) return;
  // A getter may have detached one since.
  for (auto buffer : transfer) {
    if (buffer->WasDetached() || !buffer->IsDetachable()) return throwTypeError(isolate, "An ArrayBuffer is detached and could not be transferred.");
  }
  v8::LocalVector<v8::ArrayBuffer> moved(isolate);
  for (auto buffer : transfer) {
    auto store = buffer->GetBackingStore();
    if (buffer->Detach(Local<v8::Value>()).IsNothing()) return;
    moved.push_back(v8::ArrayBuffer::New(isolate, std::move(store)));
  }
  Local<v8::Value> clone;
  if (fromGraph(context, graph, {&moved, &nodes}).ToLocal(&clone)) info.GetReturnValue().Set(clone);
}

constexpr NativeFunction NATIVES[] = {
  {"classify", classify}, {"constructorName", constructorName}, {"proxyTarget", proxyTarget}, {"entriesOf", entriesOf},
  {"promiseState", promiseState}, {"primitiveOf", primitiveOf}, {"byteLength", byteLength},
  {"fillRandomBytes", fillRandomBytes},
  {"structuredClone", structuredClone},
};

}  // namespace

std::span<const NativeFunction> valueNatives() { return NATIVES; }

}  // namespace glovebox
