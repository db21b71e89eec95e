#include "worker/engine/random.h"

#include <sys/random.h>
#include <unistd.h>

#include <bit>
#include <cstdint>
#include <cstring>

#include "ipc/zygote-protocol.h"

namespace glovebox {

namespace {

struct Generator {
  uint32_t key[8] = {};
  bool seeded = false;
};
Generator generator;   // per process by nature

void quarterRound(uint32_t& a, uint32_t& b, uint32_t& c, uint32_t& d) {
  a += b; d = std::rotl(d ^ a, 16);
  c += d; b = std::rotl(b ^ c, 12);
  a += b; d = std::rotl(d ^ a, 8);
  c += d; b = std::rotl(b ^ c, 7);
}

// RFC 8439, section 2.3, with a zero nonce: a key is used for one request only.
void block(const uint32_t key[8], uint64_t counter, uint32_t out[16]) {
  uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1], key[2], key[3],
                        key[4], key[5], key[6], key[7], uint32_t(counter), uint32_t(counter >> 32), 0, 0};
  memcpy(out, state, sizeof state);
  for (int round = 0; round < 10; ++round) {
    quarterRound(out[0], out[4], out[8], out[12]);
    quarterRound(out[1], out[5], out[9], out[13]);
    quarterRound(out[2], out[6], out[10], out[14]);
    quarterRound(out[3], out[7], out[11], out[15]);
    quarterRound(out[0], out[5], out[10], out[15]);
    quarterRound(out[1], out[6], out[11], out[12]);
    quarterRound(out[2], out[7], out[8], out[13]);
    quarterRound(out[3], out[4], out[9], out[14]);
  }
  for (int i = 0; i < 16; ++i) out[i] += state[i];
}

}  // namespace

void reseedRandom() {
  size_t have = 0;
  auto* key = reinterpret_cast<uint8_t*>(generator.key);
  while (have < sizeof generator.key) {
    ssize_t got = getrandom(key + have, sizeof generator.key - have, 0);
    if (got <= 0) _exit(zygote::EXIT_LOCKDOWN);
    have += size_t(got);
  }
  generator.seeded = true;
}

void fillRandom(void* bytes, size_t size) {
  if (!generator.seeded) reseedRandom();
  uint32_t first[16], out[16];
  block(generator.key, 0, first);
  auto* to = static_cast<uint8_t*>(bytes);
  // The first half of block 0 becomes the next key; its second half and all further blocks are output.
  size_t chunk = size < 32 ? size : 32;
  memcpy(to, first + 8, chunk);
  to += chunk;
  size -= chunk;
  for (uint64_t counter = 1; size > 0; ++counter) {
    block(generator.key, counter, out);
    chunk = size < sizeof out ? size : sizeof out;
    memcpy(to, out, chunk);
    to += chunk;
    size -= chunk;
  }
  memcpy(generator.key, first, sizeof generator.key);
}

}  // namespace glovebox
