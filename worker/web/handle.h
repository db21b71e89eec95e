#pragma once
// A C++ object that JavaScript holds: `T` belongs to a handle object and dies when the garbage collector takes that. Natives only;
// the runtime keeps handles in private fields, so user code never has one, and whoever passes one passes the right kind.

#include <v8.h>

#include <memory>

namespace glovebox {

template <typename T, v8::EmbedderDataTypeTag TAG, typename Delete = std::default_delete<T>>
class Handle {
 public:
  // Empty: V8 has no memory for the object; an exception is pending.
  static v8::MaybeLocal<v8::Object> make(v8::Isolate* isolate, std::unique_ptr<T, Delete> content) {
    auto shape = v8::ObjectTemplate::New(isolate);
    shape->SetInternalFieldCount(1);
    v8::Local<v8::Object> object;
    if (!shape->NewInstance(isolate->GetCurrentContext()).ToLocal(&object)) return {};
    auto* holder = new Holder{std::move(content), v8::Global<v8::Object>(isolate, object)};
    object->SetAlignedPointerInInternalField(0, holder->content.get(), TAG);
    holder->self.SetWeak(holder, finalize, v8::WeakCallbackType::kParameter);
    return object;
  }

  static T& of(v8::Local<v8::Value> handle) {
    return *static_cast<T*>(handle.As<v8::Object>()->GetAlignedPointerFromInternalField(0, TAG));
  }

 private:
  struct Holder {
    std::unique_ptr<T, Delete> content;
    v8::Global<v8::Object> self;
  };
  static void finalize(const v8::WeakCallbackInfo<Holder>& info) {
    info.GetParameter()->self.Reset();
    delete info.GetParameter();
  }
};

// One for each kind of handle.
constexpr v8::EmbedderDataTypeTag DECODER_HANDLE = 1, ZLIB_HANDLE = 2, KEY_HANDLE = 3, DIGEST_HANDLE = 4, NODE_HASH_HANDLE = 5, NODE_ZLIB_HANDLE = 6,
    NODE_BROTLI_HANDLE = 7, NODE_CIPHER_HANDLE = 8;

}  // namespace glovebox
