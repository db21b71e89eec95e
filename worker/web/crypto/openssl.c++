#define OPENSSL_SUPPRESS_DEPRECATED   // RAND_METHOD: its successor, a provider, would still make a generator per thread and fork
#include "worker/web/crypto/openssl.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <malloc.h>

#include <cstdlib>

#include "worker/engine/memory-budget.h"
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

bool ranOutOfMemory = false;   // since the scope began

// What OpenSSL holds counts as the worker's buffers do; a key may take some kilobytes.
void* allocate(size_t size, const char*, int) {
  auto& budget = MemoryBudget::ofProcess();
  void* block = budget.hasRoom(size) ? malloc(size) : nullptr;
  if (block == nullptr) ranOutOfMemory = true;
  else budget.buffers += malloc_usable_size(block);
  return block;
}

void release(void* block, const char*, int) {
  if (block != nullptr) MemoryBudget::ofProcess().buffers -= malloc_usable_size(block);
  free(block);
}

void* reallocate(void* block, size_t size, const char* file, int line) {
  if (size == 0) {
    release(block, file, line);
    return nullptr;
  }
  void* moved = allocate(size, file, line);
  if (moved == nullptr || block == nullptr) return moved;
  memcpy(moved, block, std::min(size, malloc_usable_size(block)));
  release(block, file, line);
  return moved;
}

}  // namespace

OpensslScope::OpensslScope(v8::Isolate* isolate): isolate_(isolate) {
  static bool ready = false;   // in the process's first call; cheap from then on
  if (!ready) {
    if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1) abort();   // somebody was here before
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr);
    if (RAND_set_rand_method(&OUR_RANDOM) != 1) abort();
    ready = true;
  }
  ERR_clear_error();
  ranOutOfMemory = false;
}

OpensslScope::~OpensslScope() {
  if (!ranOutOfMemory) return;
  MemoryBudget::ofProcess().refused = true;
  throwRangeError(isolate_, "There is no memory for this operation");
}

void warmOpenssl(v8::Isolate* isolate) {
  OpensslScope scope(isolate);
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size;
  for (auto* hash: {EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512()}) EVP_Digest("", 0, out, &size, hash, nullptr);
  HMAC(EVP_sha256(), "", 0, out, 0, out, &size);
  OwnedCipherContext cipher(EVP_CIPHER_CTX_new());
  for (auto* aes: {EVP_aes_128_gcm(), EVP_aes_256_gcm()}) EVP_EncryptInit_ex(cipher.get(), aes, nullptr, out, out);
  OwnedKey key(EVP_EC_gen("prime256v1"));
  OwnedMdContext signing(EVP_MD_CTX_new());
  unsigned char signature[128];
  size_t length = sizeof signature;
  EVP_DigestSignInit(signing.get(), nullptr, EVP_sha256(), nullptr, key.get());
  EVP_DigestSign(signing.get(), signature, &length, out, size);
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
