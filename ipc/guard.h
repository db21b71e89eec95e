#pragma once
// The guard: stands between a worker's stream and the supervisor's RpcSystem, reads every message both ways and keeps its
// own books of what is open. Cap'n Proto's own limits do not bound what a hostile peer makes the RpcSystem remember
// (held answers, results never read, promises resolved for ever, capability tables of millions); these do. The numbers
// and their reasons are in ipc/guard-limits.h.
//
// The same stands between a gateway's line and the program that started it, with other numbers. Where "worker" stands below, it may
// be a gateway.
//
// Everything from the worker's side is hostile. The first message that breaks a rule is not passed on: the reader gets
// an exception naming the rule, `onViolation` is called once with the same, and from then on nothing passes either way.
// What the RpcSystem itself refuses (it then sends Abort) counts as a violation too.
//
// What may come from a worker:
//
//   Call        on what it was given or, one step deep, on an answer it waits for; results to the caller. With
//               capabilities of its own, of ours, and promised ones of either.
//   Return      of results, an exception or, if we gave up, canceled. Not of a tail call, as Cap'n Proto makes them when a
//               call on a promised result turns out to be for something of ours: an honest worker's results are objects of
//               its own, which call further themselves.
//   Finish, Release
//   Resolve     of its own promises, once each, to an object of its own, to something of ours, or to an exception. Not to
//               another promise of its own: the RpcSystem follows such chains by recursion, and a promise that resolves to
//               itself takes it to the end of the stack.
//   Disembargo  in answer to ours. We ask for one when a promise of the worker turns out to be something we gave it; it has
//               none to ask for.
//   Abort
//
//   Bootstrap   of a gateway, once.
//
// Not: Provide, Accept, Join, Unimplemented, third parties.
//
// The books may lag behind the RpcSystem by what is still queued to be written, never behind what the worker can know.

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <kj/function.h>

#include <map>
#include <vector>

#include "ipc/guard-limits.h"

namespace glovebox {

class GuardStream final: public capnp::MessageStream {
 public:
  // `inner` is borrowed. `onViolation` must not destroy the guard at once; it is called before the reader's exception
  // can be seen.
  GuardStream(capnp::MessageStream& inner, kj::Function<void(const kj::Exception&)> onViolation, const guard::Limits& limits = guard::WORKER_LIMITS);
  ~GuardStream() noexcept(false);
  KJ_DISALLOW_COPY(GuardStream);

  struct Counts {
    size_t workerQuestions;    // open questions of the worker
    size_t ourQuestions;       // ours, neither returned nor finished
    size_t workerExports;      // the worker's capabilities that we hold
    size_t ourExports;         // our capabilities that the worker holds
    uint64_t questionBytes;
    uint64_t answerBytes;
  };
  Counts counts() const;

  // Reads of large values (ByteSource) that are not answered or that the worker has not finished with; and when they next
  // become fewer. For one who waits at a time.
  size_t openReads() const { return openReads_; }
  kj::Promise<void> whenReadFinished();
  // The same of calls (Target). These count at once; the books of bytes may lag behind.
  size_t openCalls() const { return openCalls_; }

  using capnp::MessageStream::tryReadMessage;
  using capnp::MessageStream::writeMessage;
  using capnp::MessageStream::writeMessages;

  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(kj::ArrayPtr<kj::AutoCloseFd> fdSpace,
                                                                    capnp::ReaderOptions options,
                                                                    kj::ArrayPtr<capnp::word> scratchSpace) override;
  kj::Promise<void> writeMessage(kj::ArrayPtr<const int> fds,
                                 kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override;
  kj::Promise<void> writeMessages(
      kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override;
  kj::Maybe<int> getSendBufferSize() override { return inner_.getSendBufferSize(); }
  kj::Promise<void> end() override { return inner_.end(); }

 private:
  // A question of the worker. Gone when it is both answered and finished.
  struct WorkerQuestion {
    enum class Kind : uint8_t { OTHER, CALL, READ } kind = Kind::OTHER;
    bool answered = false;
    bool finished = false;
    uint64_t questionBytes = 0;
    uint64_t answerBytes = 0;
    bool releasesResults = false;          // as its Finish said
    std::vector<uint32_t> paramExports;    // its own, released by our Return if that says so
    std::vector<uint32_t> resultExports;   // ours, released by its Finish if that says so
  };
  // A question of ours, by id. Gone when it is both returned and finished.
  struct OurQuestion {
    bool open = false;
    bool returned = false;
    bool finished = false;
    std::vector<uint32_t> paramExports;    // ours, released by its Return if that says so
    std::vector<uint32_t> resultExports;   // its own, released by our Finish if that says so
  };
  struct WorkerExport {
    uint64_t references = 0;
    bool unresolved = false;               // a promise that may be resolved once
  };

  capnp::MessageStream& inner_;
  const guard::Limits& limits_;
  kj::Function<void(const kj::Exception&)> onViolation_;
  kj::Maybe<kj::Exception> violation_;

  std::map<uint32_t, WorkerQuestion> workerQuestions_;
  std::vector<OurQuestion> ourQuestions_;         // the RpcSystem gives the lowest free id
  std::map<uint32_t, WorkerExport> workerExports_;
  std::vector<uint64_t> ourExports_;              // references by id
  std::vector<uint32_t> embargoes_;               // ours, unanswered
  uint64_t questionBytes_ = 0;
  uint64_t answerBytes_ = 0;
  uint32_t bootstraps_ = 0;
  uint32_t lateResolves_ = 0;
  uint32_t disembargoes_ = 0;
  size_t openReads_ = 0;
  size_t openCalls_ = 0;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> readFinished_;

  kj::Exception violate(kj::StringPtr rule);

  // From the worker; these throw.
  void checkIncoming(capnp::rpc::Message::Reader message, uint64_t bytes);
  void checkCall(capnp::rpc::Call::Reader call, uint64_t bytes);
  void checkReturn(capnp::rpc::Return::Reader ret);
  void checkFinish(capnp::rpc::Finish::Reader finish);
  void checkResolve(capnp::rpc::Resolve::Reader resolve);
  void checkDisembargo(capnp::rpc::Disembargo::Reader disembargo);
  void checkTarget(capnp::rpc::MessageTarget::Reader target);
  void checkPromisedAnswer(capnp::rpc::PromisedAnswer::Reader answer);
  std::vector<uint32_t> checkCapabilities(capnp::rpc::Payload::Reader payload);
  kj::Maybe<uint32_t> checkCapability(capnp::rpc::CapDescriptor::Reader capability);
  WorkerQuestion& openWorkerQuestion(uint32_t id, uint64_t bytes);
  void releaseOurExport(uint32_t id, uint64_t references, const char* by);

  // From the supervisor: only kept account of.
  void noteOutgoing(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments);
  void noteOutgoingReturn(capnp::rpc::Return::Reader ret, uint64_t bytes);
  std::vector<uint32_t> noteOurExports(capnp::rpc::Payload::Reader payload);
  kj::Maybe<uint32_t> noteOurExport(capnp::rpc::CapDescriptor::Reader capability);
  void openOurQuestion(uint32_t id, std::vector<uint32_t> paramExports);
  void closeOurQuestion(uint32_t id);
  void releaseWorkerExport(uint32_t id, uint32_t references);
  void releaseWorkerExports(const std::vector<uint32_t>& ids);

  WorkerQuestion* findWorkerQuestion(uint32_t id);
  void closeWorkerQuestion(uint32_t id, WorkerQuestion& question);
};

}  // namespace glovebox
