#pragma once
// A real glovebox-gateway, jailed as always, between raw sockets and a worker that is played by the test: its parent, its clients and
// the worker all live in this process, on one event loop of KJ's own.

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ipc/gateway.capnp.h"

namespace glovebox::test {

using FetchContext = capnp::CallContext<rpc::Call, rpc::Return>;

// The body of a request that is to be read. Let go of with the last copy.
class BodyStream {
 public:
  explicit BodyStream(rpc::Target::Client target): target_(std::make_shared<rpc::Target::Client>(kj::mv(target))) {}

  // One chunk; nothing at the end. Rejects if the stream failed.
  kj::Promise<std::optional<std::string>> chunk() const;
  kj::Promise<std::string> all(std::string soFar = "") const;

 private:
  std::shared_ptr<rpc::Target::Client> target_;
};

// A request as the worker gets it.
struct SeenRequest {
  std::string method, url, redirect;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::string> bytes;             // a body that came with it
  std::optional<BodyStream> stream;             // one that is to be read

  std::string header(const std::string& name) const;   // all of that name, joined by "|"
};
SeenRequest seenRequest(FetchContext& context);

// What a stream of the test's answers to `read`: a chunk, or nothing at its end.
using NextChunk = std::function<kj::Promise<std::optional<std::string>>()>;

struct ScriptedAnswer {
  double status = 200;
  std::string statusText = "OK";
  std::vector<std::pair<std::string, std::string>> headers;   // of characters, in UTF-8
  std::optional<std::string> bytes;
  NextChunk stream;
  std::shared_ptr<rpc::Target::Client> socket;
};
void respond(FetchContext& context, ScriptedAnswer answer);

struct Response {
  int status = 0;
  std::string head;
  std::map<std::string, std::string> headers;   // lower case; the last one of a name
  std::string body;
  bool whole = false;   // the body ended as its framing says
};

class RawClient {
 public:
  RawClient(kj::AsyncIoContext& io, kj::Own<kj::AsyncIoStream> stream): io_(io), stream_(kj::mv(stream)) {}

  void send(const std::string& bytes);
  // The next response, by its framing; without any, up to the end of the connection. `toHead`: it has no body whatever it says.
  Response response(bool toHead = false);
  // Up to the end of the connection.
  std::string rest();
  // One read: what is there, empty at the end.
  std::string some();
  std::string headOnly();
  void shutdown() { stream_->shutdownWrite(); }
  kj::AsyncIoStream& stream() { return *stream_; }

 private:
  kj::AsyncIoContext& io_;
  kj::Own<kj::AsyncIoStream> stream_;
  std::string ahead_;

  bool more();
  std::string line();
};

class GatewayWorld {
 public:
  enum class Socket { TCP, UNIX };
  explicit GatewayWorld(std::vector<std::string> flags = {}, Socket socket = Socket::TCP);
  ~GatewayWorld() noexcept(false);
  KJ_DISALLOW_COPY(GatewayWorld);

  // What the worker does. By default it answers "hello".
  std::function<kj::Promise<void>(FetchContext)> onFetch;
  std::string hostServed;      // empty: any
  std::string lastHost;
  uint32_t layersInForce = 0;
  size_t fetches = 0;

  RawClient connect();
  template <typename T>
  T wait(kj::Promise<T> promise) { return patient(kj::mv(promise)).wait(io_.waitScope); }
  template <typename Condition>
  bool turnUntil(Condition&& condition) {
    for (int i = 0; i < 10'000; i++) {
      if (condition()) return true;
      wait(io_.provider->getTimer().afterDelay(1 * kj::MILLISECONDS));
    }
    return false;
  }
  kj::Timer& timer() { return io_.provider->getTimer(); }
  kj::AsyncIoContext& io() { return io_; }

  pid_t pid() const { return pid_; }
  void signal(int number);
  // Waits for its end: the exit code, or minus the signal.
  int ended();
  void dropLine() { serving_ = kj::READY_NOW; server_ = nullptr; line_ = nullptr; }
  // Of /proc/PID/status, in kB for sizes.
  uint64_t status(const std::string& field);
  std::string statusText(const std::string& field);

 private:
  class Host;
  class Worker;

  kj::AsyncIoContext io_;
  std::string folder_;
  kj::String address_;
  pid_t pid_ = -1;
  kj::Maybe<kj::Own<kj::AsyncIoStream>> line_;
  kj::Maybe<kj::Own<capnp::TwoPartyServer>> server_;
  kj::Promise<void> serving_ = kj::READY_NOW;

  // A test that hangs tells nothing.
  template <typename T>
  kj::Promise<T> patient(kj::Promise<T> promise) {
    return io_.provider->getTimer().timeoutAfter(10 * kj::SECONDS, kj::mv(promise));
  }
};

// Starts the program and waits for its end: the exit code (or minus the signal), and what it printed.
struct StartResult {
  int code;
  std::string words;
};
StartResult startGateway(const std::vector<std::string>& flags, int line, const std::vector<int>& listeners);

}  // namespace glovebox::test
