// Digests, HMAC, and what is derived with them: PBKDF2 and HKDF.

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "worker/web/crypto/natives.h"
#include "worker/web/crypto/openssl.h"
#include "worker/web/handle.h"

namespace glovebox {
namespace {

using v8::Local;

// digest(hash, data)
void digest(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto* hash = hashOf(info[0]);
  auto input = bytesOf(info[1]);
  unsigned char result[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(data(input), input.size, result, &size, hash, nullptr) != 1) return;
  Output output(info.GetIsolate(), size);
  if (!output.isThere()) return;
  memcpy(output.data(), result, size);
  output.giveBack(info, size);
}

using DigestHandle = Handle<EVP_MD_CTX, DIGEST_HANDLE, Release<EVP_MD_CTX_free>>;

void digestOpen(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  OwnedMdContext context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestInit_ex(context.get(), hashOf(info[0]), nullptr) != 1) {
    return throwRangeError(info.GetIsolate(), "There is no memory for another digest");
  }
  Local<v8::Object> handle;
  if (DigestHandle::make(info.GetIsolate(), std::move(context)).ToLocal(&handle)) info.GetReturnValue().Set(handle);
}

void digestUpdate(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto input = bytesOf(info[1]);
  EVP_DigestUpdate(&DigestHandle::of(info[0]), data(input), input.size);
}

void digestFinish(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  unsigned char result[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_DigestFinal_ex(&DigestHandle::of(info[0]), result, &size) != 1) return;
  Output output(info.GetIsolate(), size);
  if (!output.isThere()) return;
  memcpy(output.data(), result, size);
  output.giveBack(info, size);
}

bool computeHmac(const EVP_MD* hash, Bytes key, Bytes input, unsigned char* result, unsigned& size) {
  return key.size <= INT_MAX && HMAC(hash, data(key), int(key.size), data(input), input.size, result, &size) != nullptr;
}

// hmac(hash, key, data)
void hmac(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  unsigned char result[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!computeHmac(hashOf(info[0]), bytesOf(info[1]), bytesOf(info[2]), result, size)) return;
  Output output(info.GetIsolate(), size);
  if (!output.isThere()) return;
  memcpy(output.data(), result, size);
  output.giveBack(info, size);
}

// equalInConstantTime(a, b): of the same size.
void equalInConstantTime(const Info& info) {
  auto a = bytesOf(info[0]), b = bytesOf(info[1]);
  info.GetReturnValue().Set(a.size == b.size && CRYPTO_memcmp(data(a), data(b), a.size) == 0);
}

// pbkdf2(hash, password, salt, iterations, bytes)
void pbkdf2(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto password = bytesOf(info[1]), salt = bytesOf(info[2]);
  auto iterations = info[3].As<v8::Int32>()->Value();
  auto size = info[4].As<v8::Int32>()->Value();
  if (password.size > INT_MAX || salt.size > INT_MAX || iterations < 1 || size < 0) return;
  Output output(info.GetIsolate(), size_t(size));
  if (!output.isThere()) return;
  if (size > 0 && PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(data(password)), int(password.size), data(salt), int(salt.size), iterations,
                                    hashOf(info[0]), size, output.data()) != 1) return;
  output.giveBack(info, size_t(size));
}

// hkdf(hash, secret, salt, info, bytes): RFC 5869.
void hkdf(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto* hash = hashOf(info[0]);
  auto context = bytesOf(info[3]);
  auto size = size_t(info[4].As<v8::Uint32>()->Value());
  unsigned char secret[EVP_MAX_MD_SIZE];
  unsigned hashSize = 0;
  if (!computeHmac(hash, bytesOf(info[2]), bytesOf(info[1]), secret, hashSize) || size > size_t(255) * hashSize) return;
  Output output(info.GetIsolate(), size);
  if (!output.isThere()) return;
  std::string block;
  for (size_t done = 0, round = 1; done < size; round++) {
    block.append(context.data == nullptr ? "" : context.data, context.size).push_back(char(round));
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned madeSize = 0;
    if (!computeHmac(hash, {reinterpret_cast<char*>(secret), hashSize}, {block.data(), block.size()}, made, madeSize)) return;
    size_t wanted = std::min(size - done, size_t(madeSize));
    memcpy(output.data() + done, made, wanted);
    done += wanted;
    block.assign(reinterpret_cast<char*>(made), madeSize);
  }
  output.giveBack(info, size);
}

constexpr NativeFunction NATIVES[] = {
  {"digest", digest}, {"digestOpen", digestOpen}, {"digestUpdate", digestUpdate}, {"digestFinish", digestFinish},
  {"hmac", hmac}, {"equalInConstantTime", equalInConstantTime}, {"pbkdf2", pbkdf2}, {"hkdf", hkdf},
};

}  // namespace

std::span<const NativeFunction> digestNatives() { return NATIVES; }

}  // namespace glovebox
