#pragma once
// A worker's logs on their way to whoever loaded it, up to LOG_BYTES_MAX; what is beyond is dropped, and said once. What a
// worker said before it died still arrives; once it is revoked, nothing does.

#include "supervisor/membrane.h"

namespace glovebox {

class ConsoleMembrane final: public rpc::Console::Server {
 public:
  ConsoleMembrane(kj::Own<Membrane> membrane, rpc::Console::Client console)
      : membrane_(kj::mv(membrane)), console_(kj::mv(console)) {}
  kj::Promise<void> write(WriteContext context) override;

 private:
  kj::Own<Membrane> membrane_;
  rpc::Console::Client console_;
  size_t bytes_ = 0;
  bool full_ = false;
};

}  // namespace glovebox
