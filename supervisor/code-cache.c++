#include "supervisor/code-cache.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include <kj/debug.h>
#include <kj/vector.h>

namespace glovebox {
namespace {

// What an entry costs beside its caches: the key twice, list, table.
constexpr uint64_t ENTRY_OVERHEAD_BYTES = 256;

// So that a load of a million empty modules counts for what it costs.
constexpr size_t MODULE_OVERHEAD_BYTES = 64;

// Poly1305 over parts, each with its length in front, so that no two lists of parts are the same bytes.
class Hasher {
 public:
  explicit Hasher(const CodeCache::HashKey& key) { KJ_ASSERT(crypto_onetimeauth_init(&state_, key.data()) == 0); }

  void add(uint64_t number) { update(&number, sizeof(number)); }
  void add(kj::ArrayPtr<const kj::byte> bytes) {
    add(uint64_t{bytes.size()});
    update(bytes.begin(), bytes.size());
  }
  CodeCache::Key finish() {
    CodeCache::Key key;
    KJ_ASSERT(crypto_onetimeauth_final(&state_, key.data()) == 0);
    return key;
  }

 private:
  crypto_onetimeauth_state state_;

  void update(const void* bytes, size_t size) { KJ_ASSERT(crypto_onetimeauth_update(&state_, static_cast<const unsigned char*>(bytes), size) == 0); }
};
static_assert(sizeof(CodeCache::Key) == crypto_onetimeauth_BYTES);
static_assert(sizeof(CodeCache::HashKey) == crypto_onetimeauth_KEYBYTES);

kj::ArrayPtr<const kj::byte> bodyOf(rpc::Module::Reader module) {
  switch (module.which()) {
    case rpc::Module::JS: return module.getJs().asBytes();
    case rpc::Module::CJS: return module.getCjs().asBytes();
    case rpc::Module::TEXT: return module.getText().asBytes();
    case rpc::Module::DATA: return module.getData();
    case rpc::Module::JSON: return module.getJson().asBytes();
    case rpc::Module::WASM: return module.getWasm();
  }
  return nullptr;
}

}  // namespace

CodeCache::CodeCache(uint64_t bytesMax, policy::Profile profile): bytesMax_(bytesMax), profile_(profile) {
  KJ_REQUIRE(sodium_init() >= 0, "libsodium does not start: it has no source of randomness");
  randombytes_buf(hashKey_.data(), hashKey_.size());
}

kj::Maybe<CodeCache::Key> CodeCache::tryMakeKey(kj::StringPtr mainModule, capnp::List<rpc::Module>::Reader modules) const {
  if (bytesMax_ == 0) return nullptr;
  // Looked up once each: Cap'n Proto counts how often a message is walked through, and gives up when it is too often.
  size_t scriptBytes = 0, allBytes = 0;
  kj::Vector<kj::ArrayPtr<const kj::byte>> bodies(modules.size());
  for (auto module: modules) {
    auto& body = bodies.add(bodyOf(module));
    allBytes += body.size() + module.getName().size() + MODULE_OVERHEAD_BYTES;
    if (module.isJs() || module.isCjs()) scriptBytes += body.size();
  }
  if (scriptBytes < CODE_BYTES_MIN || allBytes > CODE_BYTES_MAX) return nullptr;

  Hasher hasher(hashKey_);
  hasher.add(static_cast<uint64_t>(profile_));
  hasher.add(mainModule.asBytes());
  hasher.add(uint64_t{modules.size()});
  for (auto i: kj::indices(modules)) {
    hasher.add(static_cast<uint64_t>(modules[i].which()));
    hasher.add(modules[i].getName().asBytes());
    hasher.add(bodies[i]);
  }
  return hasher.finish();
}

kj::Maybe<kj::ArrayPtr<const kj::Array<const kj::byte>>> CodeCache::find(const Key& key) {
  auto found = byKey_.find(key);
  if (found == byKey_.end()) {
    misses_++;
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  auto& caches = found->second->caches;
  (caches.size() > 0 ? hits_ : misses_)++;
  return kj::ArrayPtr<const kj::Array<const kj::byte>>(caches);
}

void CodeCache::put(const Key& key, ModuleCaches caches) {
  auto found = byKey_.find(key);
  if (found != byKey_.end()) {
    bytes_ -= found->second->bytes;
    entries_.erase(found->second);
    byKey_.erase(found);
  }
  uint64_t bytes = ENTRY_OVERHEAD_BYTES;
  for (auto& cache: caches) bytes += cache.size() + sizeof(cache);
  if (bytes > ENTRY_BYTES_MAX || bytes > bytesMax_) {
    caches = nullptr;
    bytes = ENTRY_OVERHEAD_BYTES;
  }
  while (!entries_.empty() && bytes_ + bytes > bytesMax_) {
    bytes_ -= entries_.back().bytes;
    byKey_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({key, kj::mv(caches), bytes});
  byKey_[key] = entries_.begin();
  bytes_ += bytes;
}

CodeCache::Counts CodeCache::counts() const { return {entries_.size(), bytes_, hits_, misses_}; }

size_t CodeCache::Hash::operator()(const Key& key) const {
  size_t hash;
  memcpy(&hash, key.data(), sizeof(hash));
  return hash;
}

}  // namespace glovebox
