#pragma once
// What V8 made of JavaScript that was loaded before, by the content of the load, so that loading the same again compiles
// nothing. A store and no more; supervisor/code-compiler.h fills it.
//
// The bytes of an entry are hostile: V8 believes a cache of its own build and flags, so whoever writes one decides what runs.
// Why that gives nobody anything:
//
// - An entry is made by a process that was given the modules of one load, in which nothing ran before and no more comes
//   after (code-compiler.h). It never comes from a process that was told to start, and no load can carry one: neither Module nor
//   WorkerCode has a field for it, and a module is copied into a compile field by field.
// - It is given only to loads of the same modules: all of them, names, kinds and order included, because text in one module
//   that takes V8 over while it is compiled decides the caches of all.
// - So the author of a cache is the author of the text beside it, which runs in that worker anyway. What a cache can do there
//   (run as it likes, crash it, break V8) the text can, in the same jail and with the same capabilities. Nobody whose load
//   differs in one byte gets it. (All JavaScript of a load is compiled, also what nothing imports: who puts somebody's text into a
//   load as a module of kind js trusts it with that worker. Kinds text and data are not looked at.)
// - Here the bytes are counted and copied, never read.
//
// Whoever loads can learn, by the time it takes, whether exactly the same modules were loaded of late: by anybody, all
// clients and workers with a loader share one store. It takes the whole text to ask, and at least CODE_BYTES_MIN of it; a secret
// that can be guessed does not belong into such a text. SupervisorOptions.codeCacheMbMax = 0 ends it.
//
// The key of a load is a keyed hash that nobody outside can compute or see: Poly1305 under a random key of this store. Any two
// loads that differ have the same with a chance below 2^-80 (their blocks of 16 bytes, 2^22 at most, by 2^106 and some), and nobody can
// look for two that do, as with a hash that is known. It takes 0.2 ms for 1 MB; BLAKE2b takes 1.3 ms of the same library, a tenth of the
// whole load.
//
// One store knows one engine and one profile, as one supervisor does. V8 itself refuses caches of another build or other flags,
// and then compiles.

#include <kj/array.h>
#include <kj/string.h>

#include <array>
#include <cstdint>
#include <list>
#include <unordered_map>

#include "ipc/worker.capnp.h"
#include "policy/profile.h"

namespace glovebox {

// Of each module of a load, by its index: V8's cache, or nothing where there is none.
using ModuleCaches = kj::Array<kj::Array<const kj::byte>>;

class CodeCache {
 public:
  // JavaScript of a load that is worth the hash, the transfer and a process to compile it. Measured: at 17 kB load and first call take
  // 0.75 ms instead of 1.2.
  static constexpr size_t CODE_BYTES_MIN = 16u << 10;
  // Of all modules with their names; V8's cache is about as large as the text. Above it the hash alone takes longer than a load should.
  static constexpr size_t CODE_BYTES_MAX = 16u << 20;
  // All caches of one entry.
  static constexpr size_t ENTRY_BYTES_MAX = 16u << 20;

  using Key = std::array<kj::byte, 16>;
  using HashKey = std::array<kj::byte, 32>;

  struct Counts {
    uint64_t entries = 0, bytes = 0, hits = 0, misses = 0;
  };

  // `bytesMax` 0: off.
  CodeCache(uint64_t bytesMax, policy::Profile profile);
  KJ_DISALLOW_COPY(CodeCache);

  // The key of such a load. Null, and at once: there is too little JavaScript in it to gain anything, or the cache is off.
  kj::Maybe<Key> tryMakeKey(kj::StringPtr mainModule, capnp::List<rpc::Module>::Reader modules) const;

  // What is known of it, now the latest used: caches, or an empty array if to compile it is not worth it. Valid until the next
  // put(). Counted as a hit if there are caches, and as a miss if there are none or nothing is known.
  kj::Maybe<kj::ArrayPtr<const kj::Array<const kj::byte>>> find(const Key& key);

  // Replaces what was known. What was used least recently has to go.
  void put(const Key& key, ModuleCaches caches);
  // It could not be compiled or is too large: not to be tried again while this is remembered.
  void putWorthless(const Key& key) { put(key, nullptr); }

  Counts counts() const;
  uint64_t bytesMax() const { return bytesMax_; }

 private:
  struct Entry {
    Key key;
    ModuleCaches caches;
    uint64_t bytes;
  };
  struct Hash {
    // Of bytes that are as good as random.
    size_t operator()(const Key& key) const;
  };

  const uint64_t bytesMax_;
  const policy::Profile profile_;
  HashKey hashKey_;
  std::list<Entry> entries_;   // latest used first
  std::unordered_map<Key, std::list<Entry>::iterator, Hash> byKey_;
  uint64_t bytes_ = 0, hits_ = 0, misses_ = 0;
};

}  // namespace glovebox
