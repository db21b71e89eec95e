// What asymmetric keys are for: signatures, key agreement, RSA-OAEP.

#include "worker/web/crypto/key.h"
#include "worker/web/crypto/natives.h"

namespace glovebox {
namespace {

enum class Scheme : uint32_t { PKCS1, PSS, ECDSA, EDDSA };   // in the order of `SignatureScheme` in native.d.ts

using OwnedSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

// EVP_DigestSignInit and EVP_DigestVerifyInit.
using Start = int (*)(EVP_MD_CTX*, EVP_PKEY_CTX**, const EVP_MD*, ENGINE*, EVP_PKEY*);

OwnedMdContext start(Start init, EVP_PKEY& key, Scheme scheme, const EVP_MD* hash, int saltBytes) {
  OwnedMdContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* settings = nullptr;   // the context's
  if (context == nullptr || init(context.get(), &settings, scheme == Scheme::EDDSA ? nullptr : hash, nullptr, &key) != 1) return nullptr;
  if (scheme == Scheme::PKCS1 && EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PADDING) != 1) return nullptr;
  if (scheme == Scheme::PSS && (EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) != 1 ||
                                EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, saltBytes) != 1 ||
                                EVP_PKEY_CTX_set_rsa_mgf1_md(settings, hash) != 1)) return nullptr;
  return context;
}

size_t halfBytes(EVP_PKEY& key) { return size_t(EVP_PKEY_get_bits(&key) + 7) / 8; }

// keySign(key, scheme, hash, saltBytes, data); a signature by ECDSA is r and s, each as long as the curve's order.
void keySign(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto& key = AsymmetricKey::of(info[0]);
  auto scheme = Scheme(info[1].As<v8::Uint32>()->Value());
  auto input = bytesOf(info[4]);
  auto context = start(EVP_DigestSignInit, key, scheme, hashOf(info[2]), info[3].As<v8::Int32>()->Value());
  size_t size = 0;
  if (context == nullptr || EVP_DigestSign(context.get(), nullptr, &size, data(input), input.size) != 1) return;
  Output output(info.GetIsolate(), size);
  if (!output.isThere() || EVP_DigestSign(context.get(), output.data(), &size, data(input), input.size) != 1) return;
  if (scheme != Scheme::ECDSA) return output.giveBack(info, size);
  const unsigned char* at = output.data();
  OwnedSignature signature(d2i_ECDSA_SIG(nullptr, &at, long(size)));
  int half = int(halfBytes(key));
  Output raw(info.GetIsolate(), size_t(half) * 2);
  if (signature == nullptr || !raw.isThere() || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), half) != half ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + half, half) != half) return;
  raw.giveBack(info, raw.room());
}

// keyVerify(key, scheme, hash, saltBytes, signature, data)
void keyVerify(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto& key = AsymmetricKey::of(info[0]);
  auto scheme = Scheme(info[1].As<v8::Uint32>()->Value());
  auto given = bytesOf(info[4]), input = bytesOf(info[5]);
  info.GetReturnValue().Set(false);
  auto context = start(EVP_DigestVerifyInit, key, scheme, hashOf(info[2]), info[3].As<v8::Int32>()->Value());
  if (context == nullptr) return;
  unsigned char* der = nullptr;
  if (scheme == Scheme::ECDSA) {
    size_t half = halfBytes(key);
    OwnedSignature signature(ECDSA_SIG_new());
    if (given.size != 2 * half || signature == nullptr) return;
    OwnedNumber r(BN_bin2bn(data(given), int(half), nullptr)), s(BN_bin2bn(data(given) + half, int(half), nullptr));
    if (r == nullptr || s == nullptr || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return;
    r.release();
    s.release();
    int size = i2d_ECDSA_SIG(signature.get(), &der);
    if (size <= 0) return;
    given = {reinterpret_cast<char*>(der), size_t(size)};
  }
  info.GetReturnValue().Set(EVP_DigestVerify(context.get(), data(given), given.size, data(input), input.size) == 1);
  OPENSSL_free(der);
}

// keyAgree(privateKey, publicKey): of one kind.
void keyAgree(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  OwnedKeyContext context(EVP_PKEY_CTX_new(&AsymmetricKey::of(info[0]), nullptr));
  size_t size = 0;
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), &AsymmetricKey::of(info[1])) != 1 || EVP_PKEY_derive(context.get(), nullptr, &size) != 1) return;
  Output output(info.GetIsolate(), size);
  // For X25519 OpenSSL refuses a result of zeros only, as the standard wants it.
  if (output.isThere() && EVP_PKEY_derive(context.get(), output.data(), &size) == 1) output.giveBack(info, size);
}

// rsaOaep(encrypt, key, hash, label, data)
void rsaOaep(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  bool encrypt = info[0]->IsTrue();
  auto* hash = hashOf(info[2]);
  auto label = bytesOf(info[3]), input = bytesOf(info[4]);
  OwnedKeyContext context(EVP_PKEY_CTX_new(&AsymmetricKey::of(info[1]), nullptr));
  if (context == nullptr || label.size > INT_MAX || (encrypt ? EVP_PKEY_encrypt_init : EVP_PKEY_decrypt_init)(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), hash) != 1 || EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), hash) != 1) return;
  if (label.size > 0) {
    auto* copy = OPENSSL_memdup(label.data, label.size);   // the context's from here
    if (copy == nullptr) return;
    if (EVP_PKEY_CTX_set0_rsa_oaep_label(context.get(), copy, int(label.size)) != 1) return OPENSSL_free(copy);
  }
  auto* act = encrypt ? EVP_PKEY_encrypt : EVP_PKEY_decrypt;
  size_t size = 0;
  if (act(context.get(), nullptr, &size, data(input), input.size) != 1) return;
  Output output(info.GetIsolate(), size);
  if (output.isThere() && act(context.get(), output.data(), &size, data(input), input.size) == 1) output.giveBack(info, size);
}

constexpr NativeFunction NATIVES[] = {{"keySign", keySign}, {"keyVerify", keyVerify}, {"keyAgree", keyAgree}, {"rsaOaep", rsaOaep}};

}  // namespace

std::span<const NativeFunction> keyUseNatives() { return NATIVES; }

}  // namespace glovebox
