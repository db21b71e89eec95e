// What node:crypto needs beside what crypto.subtle has: digests by OpenSSL's names, and scrypt.

#include "worker/node/natives.h"
#include "worker/web/crypto/openssl.h"
#include "worker/web/handle.h"

namespace glovebox {
namespace {

using v8::Local;

using OwnedMd = Owned<EVP_MD, EVP_MD_free>;
using HashHandle = Handle<EVP_MD_CTX, NODE_HASH_HANDLE, Release<EVP_MD_CTX_free>>;

// What an extendable function may be asked for at once.
constexpr uint32_t OUTPUT_BYTES_MAX = 1 << 20;

OwnedMd fetch(v8::Isolate* isolate, Local<v8::Value> name) { return OwnedMd(EVP_MD_fetch(nullptr, toUtf8(isolate, name).c_str(), nullptr)); }

// [bytes of the result, bytes of a block]
void info(const Info& info) {
  auto* isolate = info.GetIsolate();
  OpensslScope scope(isolate);
  auto md = fetch(isolate, info[0]);
  if (md == nullptr) return;
  Local<v8::Value> sizes[] = {v8::Integer::New(isolate, EVP_MD_get_size(md.get())), v8::Integer::New(isolate, EVP_MD_get_block_size(md.get()))};
  info.GetReturnValue().Set(v8::Array::New(isolate, sizes, 2));
}

void open(const Info& info) {
  auto* isolate = info.GetIsolate();
  OpensslScope scope(isolate);
  auto md = fetch(isolate, info[0]);
  if (md == nullptr) return;
  OwnedMdContext context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestInit_ex(context.get(), md.get(), nullptr) != 1) return;
  Local<v8::Object> handle;
  if (HashHandle::make(isolate, std::move(context)).ToLocal(&handle)) info.GetReturnValue().Set(handle);
}

void copy(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  OwnedMdContext context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_MD_CTX_copy_ex(context.get(), &HashHandle::of(info[0])) != 1) return;
  Local<v8::Object> handle;
  if (HashHandle::make(info.GetIsolate(), std::move(context)).ToLocal(&handle)) info.GetReturnValue().Set(handle);
}

void update(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto input = bytesOf(info[1]);
  EVP_DigestUpdate(&HashHandle::of(info[0]), data(input), input.size);
}

// (handle, bytes wanted or undefined)
void finish(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto& context = HashHandle::of(info[0]);
  auto* md = EVP_MD_CTX_get0_md(&context);
  auto own = EVP_MD_get_size(md);
  bool isExtendable = (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF) != 0;
  uint32_t wanted = info[1]->IsUint32() ? info[1].As<v8::Uint32>()->Value() : uint32_t(std::max(own, 0));
  if (wanted > OUTPUT_BYTES_MAX || (!isExtendable && int64_t(wanted) != own)) return;
  Output output(info.GetIsolate(), wanted);
  if (!output.isThere()) return;
  unsigned char result[EVP_MAX_MD_SIZE];
  if (isExtendable ? wanted != 0 && EVP_DigestFinalXOF(&context, output.data(), wanted) != 1 : EVP_DigestFinal_ex(&context, result, nullptr) != 1) return;
  if (!isExtendable) memcpy(output.data(), result, wanted);
  output.giveBack(info, wanted);
}

// (password, salt, N, r, p, most memory, bytes): the caller has bounded N * r * p.
void scrypt(const Info& info) {
  OpensslScope scope(info.GetIsolate());
  auto password = bytesOf(info[0]), salt = bytesOf(info[1]);
  auto number = [&](int at) { return uint64_t(info[at].As<v8::Number>()->Value()); };
  Output output(info.GetIsolate(), number(6));
  if (!output.isThere()) return;
  if (output.room() != 0 && EVP_PBE_scrypt(reinterpret_cast<const char*>(data(password)), password.size, data(salt), salt.size, number(2),
                                           number(3), number(4), number(5), output.data(), output.room()) != 1) return;
  output.giveBack(info, output.room());
}

constexpr NativeFunction NATIVES[] = {
  {"hashInfo", info}, {"hashOpen", open}, {"hashCopy", copy}, {"hashUpdate", update}, {"hashFinish", finish}, {"scrypt", scrypt},
};

}  // namespace

std::span<const NativeFunction> hashingNatives() { return NATIVES; }

}  // namespace glovebox
