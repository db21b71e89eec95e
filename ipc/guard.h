#pragma once
// The guard: stands between a worker's stream and the supervisor's RpcSystem, reads every message both ways and keeps its
// own books of what is open. Cap'n Proto's own limits do not bound what a hostile peer makes the RpcSystem remember
// (held answers, results never read, promises resolved for ever, capability tables of millions); these do. The numbers
// and their reasons are in ipc/guard-limits.h.
//
// Everything from the worker's side is hostile. The first message that breaks a rule is not passed on: the reader gets
// an exception naming the rule, `onViolation` is called once with the same, and from then on nothing passes either way.
// What the RpcSystem itself refuses (it then sends Abort) counts as a violation too.
//
// What may come from a worker: Call (results to the caller), Return, Finish, Release, Resolve of its own promises,
// Disembargo as far as these need it, Abort. Not: Bootstrap, Provide, Accept, Join, Unimplemented, third parties, tail
// calls.
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
  GuardStream(capnp::MessageStream& inner, kj::Function<void(const kj::Exception&)> onViolation);
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
    uint32_t id;
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
  kj::Function<void(const kj::Exception&)> onViolation_;
  kj::Maybe<kj::Exception> violation_;

  std::vector<WorkerQuestion> workerQuestions_;   // short: QUESTIONS_MAX
  std::vector<OurQuestion> ourQuestions_;         // the RpcSystem gives the lowest free id
  std::map<uint32_t, WorkerExport> workerExports_;
  std::vector<uint64_t> ourExports_;              // references by id
  std::vector<uint32_t> embargoes_;               // ours, unanswered
  uint64_t questionBytes_ = 0;
  uint64_t answerBytes_ = 0;
  uint32_t bootstraps_ = 0;
  uint32_t lateResolves_ = 0;
  uint32_t disembargoes_ = 0;

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
  void closeWorkerQuestion(WorkerQuestion& question);
};

}  // namespace glovebox
