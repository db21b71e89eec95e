#pragma once
// A real glovebox-egress, jailed as always, between a worker that is played by the test and servers of which the test writes every byte.

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ipc/uv-event-port.h"
#include "ipc/value-graph.h"
#include "tools/egress/egress-process.h"

namespace glovebox::test {

// One end of a connection, in a thread of the server's. Reads and writes wait.
class Peer {
 public:
  explicit Peer(int fd): fd_(fd) {}
  std::string some();                                // what is there; empty at the end
  std::string until(const std::string& end);         // up to and with it, or up to the end of the connection
  bool send(const std::string& bytes);               // false: nobody takes it
  void waitForClose();                               // reads until the other side is gone

 private:
  int fd_;
  std::string ahead_;
};

// Listens on 127.0.0.1; `serve` runs for each connection, in a thread of its own. What it returns from is closed.
class ScriptedServer {
 public:
  using Serve = std::function<void(Peer& peer, size_t connection)>;
  explicit ScriptedServer(Serve serve);
  ~ScriptedServer();

  uint16_t port() const { return port_; }
  std::string url(const std::string& path = "/") const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  size_t connections() const { return connections_; }

 private:
  Serve serve_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<size_t> connections_ = 0;
  std::atomic<bool> ended_ = false;
  std::mutex mutex_;
  std::list<int> open_;
  std::list<std::thread> threads_;
  std::thread accepting_;
};

// What a call came to: `thrown` is the error's message, and then there is nothing else.
struct Fetched {
  std::string thrown;
  unsigned status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;                              // all of it, if it came with the head
  kj::Maybe<rpc::Target::Client> stream;         // otherwise
};

struct Tunneled {
  std::string thrown;
  std::string remote;
  kj::Maybe<rpc::Target::Client> readable, writable;
};

class EgressWorld {
 public:
  using Configure = std::function<void(rpc::EgressPolicy::Builder policy)>;
  // By default 127.0.0.1 may be asked on any port, and connected to.
  explicit EgressWorld(Configure configure = {});

  using Headers = std::vector<std::pair<std::string, std::string>>;
  kj::Promise<Fetched> startFetch(const std::string& url, const std::string& method = "GET", Headers headers = {}, std::string body = "");
  Fetched fetch(const std::string& url, const std::string& method = "GET", Headers headers = {}, std::string body = "") {
    return wait(startFetch(url, method, headers, body));
  }
  Tunneled connect(const std::string& address, const std::string& secured = "off");

  // A call on a stream: the bytes of a chunk, nothing at the end. Rejects with what was thrown.
  kj::Promise<std::optional<std::string>> read(rpc::Target::Client stream);
  std::string readAll(rpc::Target::Client stream);
  kj::Promise<void> write(rpc::Target::Client stream, std::string bytes);
  kj::Promise<void> close(rpc::Target::Client stream);

  template <typename T>
  T wait(kj::Promise<T> promise) { return port_.getTimer().timeoutAfter(30 * kj::SECONDS, kj::mv(promise)).wait(port_.waitScope()); }
  // Turns the loop until it is so; false if it does not become so.
  bool turnUntil(const std::function<bool()>& condition);
  void turnFor(kj::Duration time) { wait(kj::Promise<void>(port_.getTimer().afterDelay(time))); }

  egress::EgressProcess& process() { return *process_; }

 private:
  UvLoop loop_;
  UvEventPort port_;
  kj::Own<egress::EgressProcess> process_;

  kj::Promise<capnp::Response<rpc::Return>> call(rpc::Target::Client target, const char* method, ValueGraph arguments);
};

}  // namespace glovebox::test
