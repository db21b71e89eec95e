#pragma once
// A worker's logs on their way to whoever loaded it, up to a limit of bytes in its life; what is beyond is dropped, and said once. What a
// worker said before it died still arrives; once it is revoked, nothing does.

#include "supervisor/membrane.h"

namespace glovebox {

class ConsoleMembrane final: public rpc::Console::Server {
 public:
  ConsoleMembrane(kj::Own<Membrane> membrane, rpc::Console::Client console, size_t bytesMax)
      : membrane_(kj::mv(membrane)), console_(kj::mv(console)), bytesMax_(bytesMax) {}
  kj::Promise<void> write(WriteContext context) override;

 private:
  kj::Own<Membrane> membrane_;
  rpc::Console::Client console_;
  const size_t bytesMax_;
  size_t bytes_ = 0;
  bool full_ = false;
};

}  // namespace glovebox
