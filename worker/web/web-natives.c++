// The list of the native functions of worker/web, for worker/engine/native.h.

#include "worker/engine/native.h"

#include "worker/web/compression.h"
#include "worker/web/crypto/natives.h"
#include "worker/web/encoding.h"
#include "worker/web/hooks.h"
#include "worker/web/html-rewriter.h"
#include "worker/web/url.h"
#include "worker/web/values.h"

namespace glovebox {

std::span<const NativeFunction> webNatives() {
  static const std::vector<NativeFunction> all = [] {
    std::vector<NativeFunction> list;
    for (auto part : {hookNatives(), urlNatives(), encodingNatives(), valueNatives(), compressionNatives(),
                      digestNatives(), cipherNatives(), keyNatives(), keyUseNatives(), htmlRewriterNatives()}) {
      list.insert(list.end(), part.begin(), part.end());
    }
    return list;
  }();
  return all;
}

}  // namespace glovebox
