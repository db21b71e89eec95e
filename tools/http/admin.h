#pragma once
// What a server tells those who run it, over HTTP: a page to look at (tools/http/page/) with the JSON that it shows, /metrics for
// Prometheus, /healthz (this process answers), /readyz (it would serve).
//
// HTTP is parsed by a gateway of its own (tools/gateway/), jailed as any; this is the Target behind it. It changes nothing, and is for
// this machine alone: whoever may connect may read it, logs of workers included. What workers wrote leaves only inside JSON; the page
// may load nothing but its own files and ask nobody but this address, and every answer says to browsers that no other page may have it.

#include <kj/async.h>
#include <kj/function.h>
#include <kj/timer.h>

#include <string>

#include "ipc/call.capnp.h"

namespace glovebox::http {

struct AdminHooks {
  kj::Function<std::string()> metrics;
  // What keeps it from serving, in a word or two, or null. Asked for each request of /readyz, and waited for READY_TIMEOUT.
  kj::Function<kj::Promise<kj::Maybe<std::string>>()> notReady;
  // JSON (tools/http/page-data.h). Null: there is no such worker.
  kj::Function<kj::Promise<std::string>()> status;
  kj::Function<kj::Maybe<std::string>(uint64_t worker)> logs;
};

constexpr kj::Duration READY_TIMEOUT = 5 * kj::SECONDS;

// `timer` and what the hooks refer to outlive it.
rpc::Target::Client newAdmin(kj::Timer& timer, AdminHooks hooks);

// A name of this machine's own. A page in somebody's browser can make a name of its own lead here, but not be called otherwise.
bool isLoopbackHost(std::string_view host);

}  // namespace glovebox::http
