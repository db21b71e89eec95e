#pragma once
// An asymmetric key as JavaScript holds it: an EVP_PKEY with both halves or the public one.

#include "worker/web/crypto/openssl.h"
#include "worker/web/handle.h"

namespace glovebox {

using AsymmetricKey = Handle<EVP_PKEY, KEY_HANDLE, Release<EVP_PKEY_free>>;

// In the order of `KeyKind` in native.d.ts.
enum class KeyKind : uint32_t { P256, P384, P521, ED25519, X25519, RSA };

inline bool isEllipticCurve(KeyKind kind) { return kind <= KeyKind::P521; }

// Of a coordinate, and of half a signature.
inline size_t fieldBytes(KeyKind kind) { return kind == KeyKind::P256 ? 32 : kind == KeyKind::P384 ? 48 : 66; }

}  // namespace glovebox
