// AES in its four modes.

#include "worker/web/crypto/cipher.h"
#include "worker/web/crypto/natives.h"
#include "worker/web/crypto/openssl.h"

namespace glovebox {
namespace {

constexpr size_t BLOCK = 16;
constexpr size_t PIECE_BYTES = 16u << 20;   // OpenSSL counts in int

const EVP_CIPHER* cipherOf(AesMode mode, size_t keyBytes) {
  switch (mode) {
    case GCM: return keyBytes == 16 ? EVP_aes_128_gcm() : keyBytes == 24 ? EVP_aes_192_gcm() : EVP_aes_256_gcm();
    case CBC: return keyBytes == 16 ? EVP_aes_128_cbc() : keyBytes == 24 ? EVP_aes_192_cbc() : EVP_aes_256_cbc();
    case CTR: return keyBytes == 16 ? EVP_aes_128_ctr() : keyBytes == 24 ? EVP_aes_192_ctr() : EVP_aes_256_ctr();
    case KW: return keyBytes == 16 ? EVP_aes_128_wrap() : keyBytes == 24 ? EVP_aes_192_wrap() : EVP_aes_256_wrap();
  }
  return nullptr;
}

enum class Direction : int { DECRYPT = 0, ENCRYPT = 1 };

// Writes at `to` and moves it on. Never more than the input's size and a block.
bool update(EVP_CIPHER_CTX* context, Bytes input, unsigned char*& to) {
  while (input.size > 0) {
    int size = int(std::min(input.size, PIECE_BYTES)), made = 0;
    if (EVP_CipherUpdate(context, to, &made, data(input), size) != 1) return false;
    to += made;
    input = {input.data + size, input.size - size_t(size)};
  }
  return true;
}

bool finish(EVP_CIPHER_CTX* context, unsigned char*& to) {
  int made = 0;
  if (EVP_CipherFinal_ex(context, to, &made) != 1) return false;
  to += made;
  return true;
}

OwnedCipherContext start(AesMode mode, Direction direction, Bytes key, Bytes iv) {
  OwnedCipherContext context(EVP_CIPHER_CTX_new());
  if (context == nullptr || (key.size != 16 && key.size != 24 && key.size != 32)) return nullptr;
  auto* cipher = cipherOf(mode, key.size);
  if (mode == KW) EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  if (mode == GCM) {
    if (EVP_CipherInit_ex(context.get(), cipher, nullptr, nullptr, nullptr, int(direction)) != 1 || iv.size == 0 || iv.size > INT_MAX ||
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_IVLEN, int(iv.size), nullptr) != 1) return nullptr;
    cipher = nullptr;
  } else if (mode == KW ? iv.size != 0 : iv.size != BLOCK) {
    return nullptr;
  }
  return EVP_CipherInit_ex(context.get(), cipher, nullptr, data(key), mode == KW ? nullptr : data(iv), int(direction)) == 1
      ? std::move(context) : nullptr;
}

// aesGcm(encrypt, key, iv, data, additionalData, tagBytes): the tag stands after the data.
void aesGcm(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto direction = info[0]->IsTrue() ? Direction::ENCRYPT : Direction::DECRYPT;
  auto input = bytesOf(info[3]), additional = bytesOf(info[4]);
  size_t tagSize = info[5].As<v8::Uint32>()->Value();
  if (tagSize > BLOCK || (direction == Direction::DECRYPT && input.size < tagSize)) return;
  auto context = start(GCM, direction, bytesOf(info[1]), bytesOf(info[2]));
  if (context == nullptr) return;
  if (direction == Direction::DECRYPT) {
    input.size -= tagSize;
    if (EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, int(tagSize), input.data + input.size) != 1) return;
  }
  for (size_t at = 0; at < additional.size; at += PIECE_BYTES) {
    int made = 0;
    auto size = int(std::min(additional.size - at, PIECE_BYTES));
    if (EVP_CipherUpdate(context.get(), nullptr, &made, data(additional) + at, size) != 1) return;
  }
  Output output(info.GetIsolate(), input.size + (direction == Direction::ENCRYPT ? tagSize : 0));
  if (!output.isThere()) return;
  // What was decrypted is given to nobody before the tag is known to be right.
  auto* to = output.data();
  if (!update(context.get(), input, to) || !finish(context.get(), to)) return;
  if (direction == Direction::ENCRYPT && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, int(tagSize), to) != 1) return;
  output.giveBack(info, output.room());
}

// aesCbc(encrypt, key, iv, data): with the padding of PKCS #7.
void aesCbc(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto input = bytesOf(info[3]);
  auto context = start(CBC, info[0]->IsTrue() ? Direction::ENCRYPT : Direction::DECRYPT, bytesOf(info[1]), bytesOf(info[2]));
  if (context == nullptr) return;
  Output output(info.GetIsolate(), input.size + BLOCK);
  if (!output.isThere()) return;
  auto* to = output.data();
  if (update(context.get(), input, to) && finish(context.get(), to)) output.giveBack(info, size_t(to - output.data()));
}

// aesCtr(key, counter, counterBits, data): only the last `counterBits` bits of the block count, and they wrap.
void aesCtr(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  using Block = unsigned __int128;
  auto key = bytesOf(info[0]), given = bytesOf(info[1]), input = bytesOf(info[3]);
  auto bits = info[2].As<v8::Uint32>()->Value();
  if (given.size != BLOCK || bits < 1 || bits > 128) return;
  unsigned char counter[BLOCK];
  memcpy(counter, given.data, BLOCK);
  Block value = 0;
  for (auto byte: counter) value = value << 8 | byte;
  Block mask = bits == 128 ? ~Block(0) : (Block(1) << bits) - 1;
  Block blocks = (Block(input.size) + BLOCK - 1) / BLOCK;
  Block beforeWrap = mask - (value & mask);   // blocks less one
  if (blocks > 0 && blocks - 1 > mask) return;   // a counter would come twice
  Output output(info.GetIsolate(), input.size);
  if (!output.isThere()) return;
  auto* to = output.data();
  bool wraps = blocks > 0 && blocks - 1 > beforeWrap;
  Bytes first{input.data, wraps ? size_t(beforeWrap + 1) * BLOCK : input.size};
  auto context = start(CTR, Direction::ENCRYPT, key, {reinterpret_cast<char*>(counter), BLOCK});
  if (context == nullptr || !update(context.get(), first, to)) return;
  if (wraps) {
    value &= ~mask;
    for (size_t i = BLOCK; i > 0; i--, value >>= 8) counter[i - 1] = static_cast<unsigned char>(value);
    context = start(CTR, Direction::ENCRYPT, key, {reinterpret_cast<char*>(counter), BLOCK});
    if (context == nullptr || !update(context.get(), {input.data + first.size, input.size - first.size}, to)) return;
  }
  output.giveBack(info, input.size);
}

// aesKw(wrap, key, data): RFC 3394.
void aesKw(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto direction = info[0]->IsTrue() ? Direction::ENCRYPT : Direction::DECRYPT;
  auto input = bytesOf(info[2]);
  if (input.size % 8 != 0 || input.size < (direction == Direction::ENCRYPT ? 16 : 24) || input.size > PIECE_BYTES) return;
  auto context = start(KW, direction, bytesOf(info[1]), {});
  if (context == nullptr) return;
  Output output(info.GetIsolate(), input.size + BLOCK);
  if (!output.isThere()) return;
  auto* to = output.data();
  if (update(context.get(), input, to) && finish(context.get(), to)) output.giveBack(info, size_t(to - output.data()));
}

constexpr NativeFunction NATIVES[] = {{"aesGcm", aesGcm}, {"aesCbc", aesCbc}, {"aesCtr", aesCtr}, {"aesKw", aesKw}};

}  // namespace

OwnedCipherContext startAes(AesMode mode, bool encrypts, Bytes key, Bytes iv) {
  return start(mode, encrypts ? Direction::ENCRYPT : Direction::DECRYPT, key, iv);
}

std::span<const NativeFunction> cipherNatives() { return NATIVES; }

}  // namespace glovebox
