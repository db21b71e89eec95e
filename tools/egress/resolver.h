#pragma once
// Names to addresses, with c-ares on KJ's event loop. It reads the machine's configuration (/etc/resolv.conf) when it is made, and no file
// after that; /etc/hosts is not looked at.

#include <ares.h>
#include <kj/async-unix.h>
#include <kj/timer.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "tools/egress/address-range.h"

namespace glovebox::egress {

class Resolver {
 public:
  // `nameservers`: "127.0.0.1:5353,[::1]:53"; empty: the machine's. Throws if c-ares does not take them. `port` and `timer` outlive it.
  Resolver(kj::UnixEventPort& port, kj::Timer& timer, const std::string& nameservers);
  ~Resolver() noexcept(false);
  KJ_DISALLOW_COPY(Resolver);

  // All its addresses, in the order of the answer. Rejects with a sentence if there are none.
  kj::Promise<std::vector<Address>> resolve(kj::StringPtr name);

  // Where it asks, for whoever bounds its ports.
  std::vector<uint16_t> ports() const;

 private:
  struct Watched;
  struct Question;

  kj::UnixEventPort& port_;
  kj::Timer& timer_;
  ares_channel channel_ = nullptr;
  std::unordered_map<int, kj::Own<Watched>> watched_;
  kj::Promise<void> alarm_ = nullptr;
  bool alarmSet_ = false;

  void watch(int fd, bool readable, bool writable);
  kj::Promise<void> readLoop(int fd);
  void setAlarm();
  static void answered(void* argument, int status, int timeouts, ares_addrinfo* found);
};

}  // namespace glovebox::egress
