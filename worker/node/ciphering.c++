// AES as node:crypto drives it, a piece at a time.

#include "worker/node/natives.h"
#include "worker/web/crypto/cipher.h"
#include "worker/web/handle.h"

namespace glovebox {
namespace {

using v8::Local;

using CipherHandle = Handle<EVP_CIPHER_CTX, NODE_CIPHER_HANDLE, Release<EVP_CIPHER_CTX_free>>;

constexpr size_t BLOCK = 16;
constexpr size_t PIECE_BYTES = 16u << 20;   // OpenSSL counts in int

// (encrypt, mode, key, iv)
void open(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto context = startAes(AesMode(info[1].As<v8::Uint32>()->Value()), info[0]->IsTrue(), bytesOf(info[2]), bytesOf(info[3]));
  if (context == nullptr) return;
  Local<v8::Object> handle;
  if (CipherHandle::make(info.GetIsolate(), std::move(context)).ToLocal(&handle)) info.GetReturnValue().Set(handle);
}

void padding(const Info& info) { EVP_CIPHER_CTX_set_padding(&CipherHandle::of(info[0]), info[1]->IsTrue()); }

// `to` null: the input is additional data. Else it has room for the input and a block, and is moved on.
bool feed(EVP_CIPHER_CTX& context, Bytes input, unsigned char** to) {
  for (size_t at = 0; at < input.size;) {
    int size = int(std::min(input.size - at, PIECE_BYTES)), made = 0;
    if (EVP_CipherUpdate(&context, to == nullptr ? nullptr : *to, &made, data(input) + at, size) != 1) return false;
    if (to != nullptr) *to += made;
    at += size_t(size);
  }
  return true;
}

void additional(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  info.GetReturnValue().Set(feed(CipherHandle::of(info[0]), bytesOf(info[1]), nullptr));
}

void update(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto input = bytesOf(info[1]);
  Output output(info.GetIsolate(), input.size + BLOCK);
  if (!output.isThere()) return;
  auto* to = output.data();
  if (feed(CipherHandle::of(info[0]), input, &to)) output.giveBack(info, size_t(to - output.data()));
}

void finish(const Info& info) {
  auto* isolate = info.GetIsolate();
  OpensslScope scope(isolate);
  ERR_clear_error();
  Output output(isolate, BLOCK);
  if (!output.isThere()) return;
  int made = 0;
  if (EVP_CipherFinal_ex(&CipherHandle::of(info[0]), output.data(), &made) == 1) return output.giveBack(info, size_t(made));
  auto code = ERR_get_error();
  if (code == 0) return;
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  auto string = [&](const char* chars) {
    Local<v8::String> made;
    return fromUtf8(isolate, chars == nullptr ? "" : chars).ToLocal(&made) ? made : v8::String::Empty(isolate);
  };
  Local<v8::Value> parts[] = {string(text), string(ERR_reason_error_string(code)), string(ERR_lib_error_string(code))};
  info.GetReturnValue().Set(v8::Array::New(isolate, parts, 3));
}

void setTag(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto tag = bytesOf(info[1]);
  info.GetReturnValue().Set(tag.size <= BLOCK &&
      EVP_CIPHER_CTX_ctrl(&CipherHandle::of(info[0]), EVP_CTRL_AEAD_SET_TAG, int(tag.size), const_cast<unsigned char*>(data(tag))) == 1);
}

// (handle, bytes)
void getTag(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  if (!info[1]->IsUint32()) return;
  auto size = info[1].As<v8::Uint32>()->Value();
  if (size > BLOCK) return;
  Output output(info.GetIsolate(), size);
  if (output.isThere() && EVP_CIPHER_CTX_ctrl(&CipherHandle::of(info[0]), EVP_CTRL_AEAD_GET_TAG, int(size), output.data()) == 1) output.giveBack(info, size);
}

constexpr NativeFunction NATIVES[] = {
  {"cipherOpen", open}, {"cipherPadding", padding}, {"cipherAdditional", additional}, {"cipherUpdate", update}, {"cipherFinish", finish},
  {"cipherSetTag", setTag}, {"cipherGetTag", getTag},
};

}  // namespace

std::span<const NativeFunction> cipheringNatives() { return NATIVES; }

}  // namespace glovebox
