// The list of the native functions of worker/node, for worker/engine/native.h.

#include "worker/node/natives.h"

namespace glovebox {

std::span<const NativeFunction> nodeNatives() {
  static const std::vector<NativeFunction> all = [] {
    std::vector<NativeFunction> list;
    for (auto part : {bufferNatives(), bufferTextNatives(), inspectionNatives(), hashingNatives(), deflatingNatives(), brotliNatives(), cipheringNatives()}) list.insert(list.end(), part.begin(), part.end());
    return list;
  }();
  return all;
}

}  // namespace glovebox
