#pragma once
// What every file of crypto natives needs of the engine's OpenSSL. The runtime has checked algorithms, usages and sizes
// (worker/runtime/subtle/); these natives check what memory safety needs and let OpenSSL judge the rest. An operation that it refuses is
// `undefined`, which the runtime turns into the standard's exception.
//
// A sealed worker has no files and no getpid(), so OpenSSL reads no configuration and draws its random numbers from
// worker/engine/random.h, which each fork reseeds; its own generator never exists.

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <v8.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <memory>

#include "worker/engine/native.h"
#include "worker/web/strings.h"

namespace glovebox {

using Info = v8::FunctionCallbackInfo<v8::Value>;

// First of all in each native that uses OpenSSL. What fails for want of memory ends as a RangeError, by which the host knows the limit.
class OpensslScope {
 public:
  explicit OpensslScope(v8::Isolate* isolate);
  ~OpensslScope();
  OpensslScope(const OpensslScope&) = delete;
  OpensslScope& operator=(const OpensslScope&) = delete;

 private:
  v8::Isolate* isolate_;
};

// In the zygote: what OpenSSL looks up and builds when an algorithm is first used, it has then for every worker. Draws random numbers and
// keeps none of them.
void warmOpenssl(v8::Isolate* isolate);

// In the order of `HashId` in native.d.ts.
const EVP_MD* hashOf(v8::Local<v8::Value> id);

// A pointer that is never null, for sizes of 0.
inline const unsigned char* data(Bytes bytes) { return reinterpret_cast<const unsigned char*>(bytes.data == nullptr ? "" : bytes.data); }

template <auto release>
struct Release {
  template <typename T>
  void operator()(T* object) const { release(object); }
};
template <typename T, auto release>
using Owned = std::unique_ptr<T, Release<release>>;
using OwnedKey = Owned<EVP_PKEY, EVP_PKEY_free>;
using OwnedKeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using OwnedMdContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using OwnedCipherContext = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using OwnedNumber = Owned<BIGNUM, BN_free>;

// What an operation writes into: an ArrayBuffer, cut to size in the end. Empty: there is no memory; an exception is pending.
class Output {
 public:
  Output(v8::Isolate* isolate, size_t room): isolate_(isolate) {
    if (!v8::ArrayBuffer::MaybeNew(isolate, room).ToLocal(&buffer_)) throwRangeError(isolate, "Array buffer allocation failed");
  }
  bool isThere() const { return !buffer_.IsEmpty(); }
  unsigned char* data() { return static_cast<unsigned char*>(buffer_->Data()); }
  size_t room() const { return buffer_->ByteLength(); }
  void giveBack(const Info& info, size_t size) {
    if (size == room()) return info.GetReturnValue().Set(buffer_);
    Output exact(isolate_, size);
    if (!exact.isThere()) return;
    if (size > 0) memcpy(exact.data(), data(), size);
    info.GetReturnValue().Set(exact.buffer_);
  }

 private:
  v8::Isolate* isolate_;
  v8::Local<v8::ArrayBuffer> buffer_;
};

}  // namespace glovebox
