// Asymmetric keys are made, read and written: RSA, the NIST curves, Ed25519 and X25519.

#include "worker/web/crypto/key.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include <iterator>

#include "worker/web/crypto/natives.h"

namespace glovebox {
namespace {

using v8::Local;
using OwnedBuilder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using OwnedParameters = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using OwnedPkcs8 = Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;

// OpenSSL refuses larger ones itself, but only when they are used.
constexpr int RSA_BITS_MIN = 256, RSA_BITS_MAX = OPENSSL_RSA_MAX_MODULUS_BITS, RSA_EXPONENT_BITS_MAX = 64;

const char* curveOf(KeyKind kind) {
  return kind == KeyKind::P256 ? "prime256v1" : kind == KeyKind::P384 ? "secp384r1" : "secp521r1";
}

int rawType(KeyKind kind) { return kind == KeyKind::ED25519 ? EVP_PKEY_ED25519 : EVP_PKEY_X25519; }

KeyKind kindAt(Local<v8::Value> value) { return KeyKind(value.As<v8::Uint32>()->Value()); }

OwnedNumber toNumber(Bytes bytes) {
  constexpr size_t NUMBER_BYTES_MAX = RSA_BITS_MAX / 8;
  return OwnedNumber(bytes.size > NUMBER_BYTES_MAX ? nullptr : BN_bin2bn(data(bytes), int(bytes.size), nullptr));
}

OwnedNumber numberOf(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  return OwnedNumber(number);
}

enum class Half { PUBLIC, PRIVATE };

// What OpenSSL lets through when it reads a key, and would stumble over or compute wrongly with later.
bool isSound(EVP_PKEY* key, KeyKind kind, Half half) {
  if (kind == KeyKind::RSA) {
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return false;
    auto n = numberOf(key, OSSL_PKEY_PARAM_RSA_N), e = numberOf(key, OSSL_PKEY_PARAM_RSA_E);
    if (n == nullptr || e == nullptr || BN_num_bits(n.get()) < RSA_BITS_MIN || BN_num_bits(n.get()) > RSA_BITS_MAX || !BN_is_odd(n.get()) ||
        !BN_is_odd(e.get()) || BN_is_one(e.get()) || BN_num_bits(e.get()) > RSA_EXPONENT_BITS_MAX) return false;
    if (half == Half::PUBLIC) return true;
    auto p = numberOf(key, OSSL_PKEY_PARAM_RSA_FACTOR1), q = numberOf(key, OSSL_PKEY_PARAM_RSA_FACTOR2);
    Owned<BN_CTX, BN_CTX_free> scratch(BN_CTX_new());
    OwnedNumber product(BN_new());
    return p != nullptr && q != nullptr && scratch != nullptr && product != nullptr &&
           BN_mul(product.get(), p.get(), q.get(), scratch.get()) == 1 && BN_cmp(product.get(), n.get()) == 0 &&
           !BN_is_one(p.get()) && !BN_is_one(q.get());
  }
  if (!isEllipticCurve(kind)) return EVP_PKEY_get_base_id(key) == rawType(kind);
  char name[32] = {};
  size_t length = 0;
  int isExplicit = 0;
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC || EVP_PKEY_get_group_name(key, name, sizeof name, &length) != 1 || strcmp(name, curveOf(kind)) != 0) return false;
  if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &isExplicit) == 1 && isExplicit) return false;
  // What came with a compressed point would be written with one.
  if (EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") != 1) return false;
  OwnedKeyContext context(EVP_PKEY_CTX_new(key, nullptr));
  // On the curve and not infinity; the cofactor is 1. And that the halves belong together.
  return context != nullptr && EVP_PKEY_public_check_quick(context.get()) == 1 &&
         (half == Half::PUBLIC || (EVP_PKEY_private_check(context.get()) == 1 && EVP_PKEY_pairwise_check(context.get()) == 1));
}

void giveBack(const Info& info, OwnedKey key) {
  Local<v8::Object> handle;
  if (key != nullptr && AsymmetricKey::makeHandle(info.GetIsolate(), std::move(key)).ToLocal(&handle)) info.GetReturnValue().Set(handle);
}

// keyGenerate(kind): all but RSA
void keyGenerate(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto kind = kindAt(info[0]);
  giveBack(info, OwnedKey(isEllipticCurve(kind) ? EVP_EC_gen(curveOf(kind))
                                                : EVP_PKEY_Q_keygen(nullptr, nullptr, kind == KeyKind::ED25519 ? "ED25519" : "X25519")));
}

// keyGenerateRsa(bits, publicExponent)
void keyGenerateRsa(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  OwnedKeyContext context(EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nullptr));
  auto exponent = toNumber(bytesOf(info[1]));
  EVP_PKEY* key = nullptr;
  if (context == nullptr || exponent == nullptr || EVP_PKEY_keygen_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), info[0].As<v8::Int32>()->Value()) != 1 ||
      EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), exponent.get()) != 1 || EVP_PKEY_keygen(context.get(), &key) != 1) return;
  giveBack(info, OwnedKey(key));
}

// keyFromDer(kind, isPrivate, der): SubjectPublicKeyInfo or PKCS #8, and nothing after it.
void keyFromDer(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto kind = kindAt(info[0]);
  auto half = info[1]->IsTrue() ? Half::PRIVATE : Half::PUBLIC;
  auto der = bytesOf(info[2]);
  constexpr size_t DER_BYTES_MAX = 64 << 10;   // an RSA key of 16384 bits takes 10 kB
  if (der.size > DER_BYTES_MAX) return;
  auto* at = data(der);
  OwnedKey key;
  if (half == Half::PUBLIC) {
    key.reset(d2i_PUBKEY(nullptr, &at, long(der.size)));
  } else {
    OwnedPkcs8 content(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, long(der.size)));
    if (content != nullptr) key.reset(EVP_PKCS82PKEY(content.get()));
  }
  if (key != nullptr && at == data(der) + der.size && isSound(key.get(), kind, half)) giveBack(info, std::move(key));
}

OwnedKey build(const char* algorithm, OSSL_PARAM_BLD* builder, Half half) {
  OwnedParameters parameters(OSSL_PARAM_BLD_to_param(builder));
  OwnedKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr));
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, half == Half::PRIVATE ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return OwnedKey(key);
}

// keyFromParts(kind, public, private | undefined): a point without compression, or the bytes of RFC 7748 and 8032.
void keyFromParts(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto kind = kindAt(info[0]);
  auto half = info[2]->IsUndefined() ? Half::PUBLIC : Half::PRIVATE;
  auto publicBytes = bytesOf(info[1]), privateBytes = bytesOf(info[2]);
  if (isEllipticCurve(kind)) {
    size_t field = fieldBytes(kind);
    if (publicBytes.size != 1 + 2 * field || publicBytes.data[0] != POINT_CONVERSION_UNCOMPRESSED) return;
    if (half == Half::PRIVATE && privateBytes.size != field) return;
    OwnedBuilder builder(OSSL_PARAM_BLD_new());
    auto number = toNumber(privateBytes);
    if (builder == nullptr || number == nullptr ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curveOf(kind), 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, publicBytes.data, publicBytes.size) != 1 ||
        (half == Half::PRIVATE && OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, number.get()) != 1)) return;
    auto key = build("EC", builder.get(), half);
    if (key != nullptr && isSound(key.get(), kind, half)) giveBack(info, std::move(key));
    return;
  }
  if (half == Half::PUBLIC) {
    return giveBack(info, OwnedKey(EVP_PKEY_new_raw_public_key(rawType(kind), nullptr, data(publicBytes), publicBytes.size)));
  }
  OwnedKey key(EVP_PKEY_new_raw_private_key(rawType(kind), nullptr, data(privateBytes), privateBytes.size));
  unsigned char computed[64];
  size_t size = sizeof computed;
  if (key == nullptr || EVP_PKEY_get_raw_public_key(key.get(), computed, &size) != 1) return;
  if (publicBytes.size == size && memcmp(publicBytes.data, computed, size) == 0) giveBack(info, std::move(key));
}

constexpr const char* RSA_PARTS[] = {
  OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
  OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};
constexpr size_t RSA_PUBLIC_PARTS = 2;

// keyFromRsaParts(n, e) or (n, e, d, p, q, dp, dq, qi)
void keyFromRsaParts(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto half = size_t(info.Length()) > RSA_PUBLIC_PARTS ? Half::PRIVATE : Half::PUBLIC;
  size_t count = half == Half::PRIVATE ? std::size(RSA_PARTS) : RSA_PUBLIC_PARTS;
  OwnedNumber numbers[std::size(RSA_PARTS)];
  OwnedBuilder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr) return;
  for (size_t i = 0; i < count; i++) {
    numbers[i] = toNumber(bytesOf(info[int(i)]));
    if (numbers[i] == nullptr || BN_is_zero(numbers[i].get()) || OSSL_PARAM_BLD_push_BN(builder.get(), RSA_PARTS[i], numbers[i].get()) != 1) return;
  }
  auto key = build("RSA", builder.get(), half);
  if (key != nullptr && isSound(key.get(), KeyKind::RSA, half)) giveBack(info, std::move(key));
}

// keyToDer(key, isPrivate)
void keyToDer(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto& key = AsymmetricKey::of(info[0]);
  unsigned char* der = nullptr;
  int size;
  if (info[1]->IsTrue()) {
    OwnedPkcs8 content(EVP_PKEY2PKCS8(&key));
    size = content == nullptr ? -1 : i2d_PKCS8_PRIV_KEY_INFO(content.get(), &der);
  } else {
    size = i2d_PUBKEY(&key, &der);
  }
  if (size <= 0) return;
  Output output(info.GetIsolate(), size_t(size));
  if (output.isThere()) {
    memcpy(output.data(), der, size_t(size));
    output.giveBack(info, size_t(size));
  }
  OPENSSL_free(der);
}

// keyToParts(kind, key, isPrivate): what keyFromParts() and keyFromRsaParts() take.
void keyToParts(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto* isolate = info.GetIsolate();
  auto kind = kindAt(info[0]);
  auto& key = AsymmetricKey::of(info[1]);
  bool isPrivate = info[2]->IsTrue();
  v8::LocalVector<v8::Value> parts(isolate);
  auto add = [&](const unsigned char* bytes, size_t size) {
    Local<v8::ArrayBuffer> buffer;
    if (!v8::ArrayBuffer::MaybeNew(isolate, size).ToLocal(&buffer)) return false;
    memcpy(buffer->Data(), bytes, size);
    parts.push_back(buffer);
    return true;
  };
  unsigned char bytes[RSA_BITS_MAX / 8];
  if (kind == KeyKind::RSA) {
    for (size_t i = 0; i < (isPrivate ? std::size(RSA_PARTS) : RSA_PUBLIC_PARTS); i++) {
      auto number = numberOf(&key, RSA_PARTS[i]);
      if (number == nullptr || BN_num_bytes(number.get()) > int(sizeof bytes)) return;
      if (!add(bytes, size_t(BN_bn2bin(number.get(), bytes)))) return throwRangeError(isolate, "Array buffer allocation failed");
    }
  } else if (isEllipticCurve(kind)) {
    size_t size = 0;
    if (EVP_PKEY_get_octet_string_param(&key, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof bytes, &size) != 1) return;
    if (!add(bytes, size)) return throwRangeError(isolate, "Array buffer allocation failed");
    if (isPrivate) {
      auto number = numberOf(&key, OSSL_PKEY_PARAM_PRIV_KEY);
      int field = int(fieldBytes(kind));
      if (number == nullptr || BN_bn2binpad(number.get(), bytes, field) != field) return;
      if (!add(bytes, size_t(field))) return throwRangeError(isolate, "Array buffer allocation failed");
    }
  } else {
    size_t size = sizeof bytes;
    if (EVP_PKEY_get_raw_public_key(&key, bytes, &size) != 1) return;
    if (!add(bytes, size)) return throwRangeError(isolate, "Array buffer allocation failed");
    size = sizeof bytes;
    if (isPrivate && EVP_PKEY_get_raw_private_key(&key, bytes, &size) != 1) return;
    if (isPrivate && !add(bytes, size)) return throwRangeError(isolate, "Array buffer allocation failed");
  }
  info.GetReturnValue().Set(v8::Array::New(isolate, parts.data(), parts.size()));
}

constexpr NativeFunction NATIVES[] = {
  {"keyGenerate", keyGenerate}, {"keyGenerateRsa", keyGenerateRsa}, {"keyFromDer", keyFromDer}, {"keyFromParts", keyFromParts},
  {"keyFromRsaParts", keyFromRsaParts}, {"keyToDer", keyToDer}, {"keyToParts", keyToParts},
};

}  // namespace

std::span<const NativeFunction> keyNatives() { return NATIVES; }

}  // namespace glovebox
