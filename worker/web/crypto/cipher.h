#pragma once
// AES begun, for the natives that go on with it.

#include "worker/web/crypto/openssl.h"

namespace glovebox {

enum AesMode { GCM, CBC, CTR, KW };   // as native.d.ts numbers them

// Null: OpenSSL refuses, as it does an IV or a key of the wrong size, or has no memory.
OwnedCipherContext startAes(AesMode mode, bool encrypts, Bytes key, Bytes iv);

}  // namespace glovebox
