#pragma once
// An asymmetric key as JavaScript holds it: an EVP_PKEY with both halves or the public one.

#include "worker/web/crypto/openssl.h"
#include "worker/web/handle.h"

namespace glovebox {

class AsymmetricKey {
 public:
  AsymmetricKey(v8::Isolate* isolate, OwnedKey key): isolate_(isolate), key_(std::move(key)) {
    isolate_->AdjustAmountOfExternalAllocatedMemory(TYPICAL_BYTES);
  }
  ~AsymmetricKey() { isolate_->AdjustAmountOfExternalAllocatedMemory(-TYPICAL_BYTES); }
  AsymmetricKey(const AsymmetricKey&) = delete;
  AsymmetricKey& operator=(const AsymmetricKey&) = delete;

  static v8::MaybeLocal<v8::Object> makeHandle(v8::Isolate* isolate, OwnedKey key) {
    return KeyHandle::make(isolate, std::make_unique<AsymmetricKey>(isolate, std::move(key)));
  }
  static EVP_PKEY& of(v8::Local<v8::Value> handle) { return *KeyHandle::of(handle).key_; }

 private:
  using KeyHandle = Handle<AsymmetricKey, KEY_HANDLE>;
  // Lets the garbage collector know that a handle is not as small as it looks.
  static constexpr int64_t TYPICAL_BYTES = 4 << 10;

  v8::Isolate* isolate_;
  OwnedKey key_;
};

// In the order of `KeyKind` in native.d.ts.
enum class KeyKind : uint32_t { P256, P384, P521, ED25519, X25519, RSA };

inline bool isEllipticCurve(KeyKind kind) { return kind <= KeyKind::P521; }

// Of a coordinate, and of half a signature.
inline size_t fieldBytes(KeyKind kind) { return kind == KeyKind::P256 ? 32 : kind == KeyKind::P384 ? 48 : 66; }

}  // namespace glovebox
