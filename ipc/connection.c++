#include "ipc/connection.h"

#include <fcntl.h>
#include <kj/debug.h>

#include "ipc/wire-limits.h"

namespace glovebox {

namespace {

using End = RpcConnection::End;
using Side = capnp::rpc::twoparty::Side;

bool isGuarded(End end) { return end == End::SUPERVISOR_OF_WORKER || end == End::HOST_OF_GATEWAY; }

MessageStreamOptions streamOptions(End end) {
  MessageStreamOptions options;
  if (isGuarded(end)) {
    options.messageBytesMax = wire::WORKER_MESSAGE_BYTES_MAX;
    if (end == End::SUPERVISOR_OF_WORKER) options.flush = MessageStreamOptions::Flush::SOON;
    options.reader.traversalLimitInWords = guard::TRAVERSAL_WORDS_MAX;
    options.reader.nestingLimit = guard::NESTING_MAX;
  } else {
    options.messageBytesMax = wire::CLIENT_MESSAGE_BYTES_MAX;
    // As in the guard: read, copied, and to spare.
    options.reader.traversalLimitInWords = 4 * wire::CLIENT_MESSAGE_BYTES_MAX / sizeof(capnp::word);
  }
  if (end == End::WORKER) options.systemCalls = MessageStreamOptions::SystemCalls::READ_WRITE;
  return options;
}

// What the VatNetwork applies in both directions; the stream has the limits that matter.
capnp::ReaderOptions networkOptions() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 4 * wire::CLIENT_MESSAGE_BYTES_MAX / sizeof(capnp::word);
  return options;
}

Side sideOf(End end) {
  return end == End::WORKER || end == End::SUPERVISOR_OF_CLIENT || end == End::HOST_OF_GATEWAY ? Side::SERVER : Side::CLIENT;
}

kj::AutoCloseFd nonBlocking(End end, kj::AutoCloseFd fd) {
  if (end != End::WORKER) {
    int flags;
    KJ_SYSCALL(flags = fcntl(fd, F_GETFL));
    KJ_SYSCALL(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
  }
  return fd;
}

capnp::RpcSystem<capnp::rpc::twoparty::VatId> makeRpcSystem(capnp::TwoPartyVatNetwork& network,
                                                            kj::Maybe<capnp::Capability::Client>&& bootstrap) {
  KJ_IF_MAYBE(client, bootstrap) return capnp::makeRpcServer(network, kj::mv(*client));
  return capnp::makeRpcClient(network);
}

}  // namespace

RpcConnection::RpcConnection(End end, kj::AutoCloseFd fd, kj::Own<FdWaiter> waiter,
                             kj::Maybe<capnp::Capability::Client> bootstrap,
                             kj::Maybe<kj::Function<void(const kj::Exception&)>> onViolation)
    : fd_(nonBlocking(end, kj::mv(fd))),
      waiter_(kj::mv(waiter)),
      stream_(fd_, *waiter_, streamOptions(end)),
      onViolation_(kj::mv(onViolation)),
      guard_(!isGuarded(end)
                 ? kj::Maybe<kj::Own<GuardStream>>(nullptr)
                 : kj::heap<GuardStream>(stream_, [this](const kj::Exception& violation) {
                     stream_.cut(kj::cp(violation));
                     KJ_IF_MAYBE(callback, onViolation_) (*callback)(violation);
                   }, end == End::HOST_OF_GATEWAY ? guard::GATEWAY_LIMITS : guard::WORKER_LIMITS)),
      network_([this]() -> capnp::MessageStream& {
        KJ_IF_MAYBE(guard, guard_) return **guard;
        return stream_;
      }(), sideOf(end), networkOptions()),
      rpcSystem_(makeRpcSystem(network_, kj::mv(bootstrap))) {}

RpcConnection::~RpcConnection() noexcept(false) {}

kj::Maybe<const GuardStream&> RpcConnection::guard() const {
  KJ_IF_MAYBE(guard, guard_) return **guard;
  return nullptr;
}

kj::Maybe<GuardStream&> RpcConnection::guard() {
  KJ_IF_MAYBE(guard, guard_) return **guard;
  return nullptr;
}

capnp::Capability::Client RpcConnection::getBootstrap() {
  capnp::MallocMessageBuilder message(4);
  auto peer = message.initRoot<capnp::rpc::twoparty::VatId>();
  peer.setSide(network_.getSide() == Side::CLIENT ? Side::SERVER : Side::CLIENT);
  return rpcSystem_.bootstrap(peer);
}

}  // namespace glovebox
