#define OPENSSL_SUPPRESS_DEPRECATED   // RAND_METHOD: its successor, a provider, would still make a generator per thread and fork
#include "worker/web/crypto/openssl.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "worker/engine/random.h"

namespace glovebox {
namespace {

int randomBytes(unsigned char* bytes, int size) {
  if (size < 0) return 0;
  fillRandom(bytes, size_t(size));
  return 1;
}

constexpr RAND_METHOD OUR_RANDOM = {
  .seed = [](const void*, int) { return 1; },
  .bytes = randomBytes,
  .cleanup = nullptr,
  .add = [](const void*, int, double) { return 1; },
  .pseudorand = randomBytes,
  .status = [] { return 1; },
};

}  // namespace

void useOpenssl() {
  static bool ready = false;
  if (!ready) {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr);
    if (RAND_set_rand_method(&OUR_RANDOM) != 1) abort();   // random numbers of whom, then
    ready = true;
  }
  ERR_clear_error();
}

const EVP_MD* hashOf(v8::Local<v8::Value> id) {
  switch (id.As<v8::Uint32>()->Value()) {
    case 0: return EVP_md5();
    case 1: return EVP_sha1();
    case 2: return EVP_sha256();
    case 3: return EVP_sha384();
    default: return EVP_sha512();
  }
}

}  // namespace glovebox
