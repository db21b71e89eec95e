#pragma once
// What a worker says, on its way into its books and to the console of whoever loaded it, if there is one: there up to a limit of
// bytes in its life; what is beyond is dropped, and said once. What a worker said before it died still arrives; once it is
// revoked, nothing does. Where nobody listens the worker is told so, and need not speak.

#include "supervisor/account.h"
#include "supervisor/membrane.h"

namespace glovebox {

class ConsoleMembrane final: public rpc::Console::Server {
 public:
  ConsoleMembrane(kj::Own<Membrane> membrane, kj::Own<Books> books, kj::Maybe<rpc::Console::Client> console, size_t bytesMax)
      : membrane_(kj::mv(membrane)), books_(kj::mv(books)), console_(kj::mv(console)), bytesMax_(bytesMax) {}
  kj::Promise<void> write(WriteContext context) override;

 private:
  kj::Own<Membrane> membrane_;
  kj::Own<Books> books_;
  kj::Maybe<rpc::Console::Client> console_;
  const size_t bytesMax_;
  size_t bytes_ = 0;
  bool full_ = false;

  kj::Promise<void> pass(rpc::Console::Client& console, capnp::List<rpc::LogMessage>::Reader messages);
};

}  // namespace glovebox
