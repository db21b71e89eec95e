#pragma once
// What a worker says, on its way into its books and to the console of whoever loaded it, if there is one: there up to a limit of
// bytes in its life; what is beyond is dropped, and said once. What a worker said before it died still arrives; once it is
// revoked, nothing does. Where nobody listens the worker is told so, and need not speak.

#include "supervisor/account.h"
#include "supervisor/journal.h"
#include "supervisor/membrane.h"

namespace glovebox {

// The worker may hand it on to those that it loads: what these say comes under their names, as the supervisor knows them.
class ConsoleMembrane final: public rpc::Console::Server {
 public:
  // `diary`: if there is one, it hears all that the worker says.
  static rpc::Console::Client make(kj::Own<Membrane> membrane, kj::Own<Books> books, kj::Maybe<kj::Own<Diary>> diary,
                                   kj::Maybe<rpc::Console::Client> console, size_t bytesMax);
  ConsoleMembrane(kj::Own<Membrane> membrane, kj::Own<Books> books, kj::Maybe<kj::Own<Diary>> diary, kj::Maybe<rpc::Console::Client> console,
                  size_t bytesMax)
      : membrane_(kj::mv(membrane)), books_(kj::mv(books)), diary_(kj::mv(diary)), console_(kj::mv(console)), bytesMax_(bytesMax) {}
  ~ConsoleMembrane() noexcept(false);

  // By the worker.
  kj::Promise<void> write(WriteContext context) override;
  // By one that it has loaded: names and traces are the supervisor's own.
  kj::Promise<void> writeOfChild(capnp::List<rpc::LogMessage>::Reader messages);

 private:
  kj::Own<Membrane> membrane_;
  kj::Own<Books> books_;
  kj::Maybe<kj::Own<Diary>> diary_;
  kj::Maybe<rpc::Console::Client> console_;
  const size_t bytesMax_;
  size_t bytes_ = 0;
  bool full_ = false;

  enum class From { WORKER, CHILD };
  kj::Promise<void> pass(rpc::Console::Client& console, capnp::List<rpc::LogMessage>::Reader messages, From from);
  void sign(capnp::List<rpc::LogMessage>::Builder messages, From from);
};

}  // namespace glovebox
