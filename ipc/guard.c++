#include "ipc/guard.h"

#include <capnp/message.h>
#include <kj/debug.h>

#include <algorithm>

#include "ipc/call.capnp.h"

namespace glovebox {

namespace {

namespace protocol = capnp::rpc;

template <typename... Params>
[[noreturn]] void refuse(Params&&... params) {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str(kj::fwd<Params>(params)...)));
}

uint64_t sizeOf(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  uint64_t bytes = 0;
  for (auto& segment: segments) bytes += segment.asBytes().size();
  return bytes;
}

// A field of newer Cap'n Proto: the peer sends no Finish.
template <typename Return>
bool needsNoFinish(Return ret) {
  if constexpr (requires { ret.getNoFinishNeeded(); }) {
    return ret.getNoFinishNeeded();
  } else {
    return false;
  }
}

}  // namespace

GuardStream::GuardStream(capnp::MessageStream& inner, kj::Function<void(const kj::Exception&)> onViolation, const guard::Limits& limits)
    : inner_(inner), limits_(limits), onViolation_(kj::mv(onViolation)) {}

GuardStream::~GuardStream() noexcept(false) {}

GuardStream::Counts GuardStream::counts() const {
  Counts counts{};
  counts.workerQuestions = workerQuestions_.size();
  counts.ourQuestions = std::count_if(ourQuestions_.begin(), ourQuestions_.end(), [](auto& q) { return q.open; });
  counts.workerExports = workerExports_.size();
  counts.ourExports = std::count_if(ourExports_.begin(), ourExports_.end(), [](auto n) { return n > 0; });
  counts.questionBytes = questionBytes_;
  counts.answerBytes = answerBytes_;
  return counts;
}

kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> GuardStream::tryReadMessage(
    kj::ArrayPtr<kj::AutoCloseFd> fdSpace, capnp::ReaderOptions options, kj::ArrayPtr<capnp::word> scratchSpace) {
  KJ_IF_MAYBE(violation, violation_) return kj::cp(*violation);
  return inner_.tryReadMessage(nullptr, options, scratchSpace)
      .then([this](kj::Maybe<capnp::MessageReaderAndFds>&& message)
                -> kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> {
        KJ_IF_MAYBE(violation, violation_) return kj::cp(*violation);
        KJ_IF_MAYBE(received, message) {
          KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() {
            auto root = received->reader->getRoot<protocol::Message>();
            checkIncoming(root, received->reader->sizeInWords() * sizeof(capnp::word));
          })) {
            return violate(exception->getDescription());
          }
        }
        return kj::mv(message);
      }, [this](kj::Exception&& exception) -> kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> {
        // A broken frame is a violation; a peer that is gone is not.
        if (exception.getType() == kj::Exception::Type::DISCONNECTED || violation_ != nullptr) return kj::mv(exception);
        return violate(exception.getDescription());
      });
}

// After a violation writes succeed and go nowhere: what the RpcSystem still has to say is of no interest, and the reader's
// exception is the one that counts.
kj::Promise<void> GuardStream::writeMessage(kj::ArrayPtr<const int> fds,
                                            kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  KJ_REQUIRE(fds.size() == 0, "no descriptors for workers");
  noteOutgoing(segments);
  if (violation_ != nullptr) return kj::READY_NOW;
  return inner_.writeMessage(nullptr, segments);
}

kj::Promise<void> GuardStream::writeMessages(
    kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) {
  for (auto& segments: messages) noteOutgoing(segments);
  if (violation_ != nullptr) return kj::READY_NOW;
  return inner_.writeMessages(messages);
}

kj::Exception GuardStream::violate(kj::StringPtr rule) {
  KJ_IF_MAYBE(violation, violation_) return kj::cp(*violation);
  kj::Exception exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                          kj::str(limits_.peer, " broke the rules of the wire: ", rule));
  violation_ = kj::cp(exception);
  onViolation_(exception);
  return exception;
}

// ---------------------------------------------------------------------------------------------------------------------
// From the worker

void GuardStream::checkIncoming(protocol::Message::Reader message, uint64_t bytes) {
  switch (message.which()) {
    case protocol::Message::CALL: return checkCall(message.getCall(), bytes);
    case protocol::Message::RETURN: return checkReturn(message.getReturn());
    case protocol::Message::FINISH: return checkFinish(message.getFinish());
    case protocol::Message::RESOLVE: return checkResolve(message.getResolve());
    case protocol::Message::RELEASE: {
      auto release = message.getRelease();
      return releaseOurExport(release.getId(), release.getReferenceCount(), "Release");
    }
    case protocol::Message::DISEMBARGO: return checkDisembargo(message.getDisembargo());
    case protocol::Message::ABORT: return;
    case protocol::Message::BOOTSTRAP:
      if (++bootstraps_ > limits_.bootstrapsMax) {
        refuse("got Bootstrap number ", bootstraps_, ", expected at most ", limits_.bootstrapsMax);
      }
      openWorkerQuestion(message.getBootstrap().getQuestionId(), bytes);
      return;
    default:
      refuse("got a message of kind ", uint(message.which()),
             ", expected Call, Return, Finish, Resolve, Release, Disembargo or Abort");
  }
}

void GuardStream::checkCall(protocol::Call::Reader call, uint64_t bytes) {
  if (!call.getSendResultsTo().isCaller()) refuse("Call wants its results sent to somebody else");
  checkTarget(call.getTarget());
  if (answerBytes_ > limits_.answerBytesMax) {
    refuse("asks for more with ", answerBytes_, " bytes of answers not finished, expected at most ",
           limits_.answerBytesMax);
  }
  auto& question = openWorkerQuestion(call.getQuestionId(), bytes);
  question.paramExports = checkCapabilities(call.getParams());
  if (call.getInterfaceId() == capnp::typeId<rpc::Target>()) {
    question.kind = WorkerQuestion::Kind::CALL;
    if (++openCalls_ > limits_.callsMax) refuse("more than ", limits_.callsMax, " calls are open");
  } else if (call.getInterfaceId() == capnp::typeId<rpc::ByteSource>()) {
    question.kind = WorkerQuestion::Kind::READ;
    if (++openReads_ > limits_.readsMax) refuse("more than ", limits_.readsMax, " reads are open");
  }
}

GuardStream::WorkerQuestion& GuardStream::openWorkerQuestion(uint32_t id, uint64_t bytes) {
  if (findWorkerQuestion(id) != nullptr) refuse("question ", id, " is already open");
  if (workerQuestions_.size() >= limits_.questionsMax) refuse("more than ", limits_.questionsMax, " questions are open");
  questionBytes_ += bytes;
  if (questionBytes_ > limits_.questionBytesMax) {
    refuse("its open questions take more than ", limits_.questionBytesMax, " bytes");
  }
  auto& question = workerQuestions_[id];
  question.questionBytes = bytes;
  return question;
}

void GuardStream::checkReturn(protocol::Return::Reader ret) {
  uint32_t id = ret.getAnswerId();
  if (id >= ourQuestions_.size() || !ourQuestions_[id].open) refuse("Return for question ", id, ", which is not open");
  auto& question = ourQuestions_[id];
  if (question.returned) refuse("second Return for question ", id);

  switch (ret.which()) {
    case protocol::Return::RESULTS:
      question.resultExports = checkCapabilities(ret.getResults());
      if (question.finished) releaseWorkerExports(question.resultExports);   // nobody looks at them any more
      break;
    case protocol::Return::EXCEPTION: break;
    case protocol::Return::CANCELED:
      if (!question.finished) refuse("Return says that question ", id, " was canceled, but nobody canceled it");
      break;
    default:
      refuse("Return of kind ", uint(ret.which()), "; expected results, an exception or canceled");
  }

  if (ret.getReleaseParamCaps()) {
    for (auto exported: question.paramExports) releaseOurExport(exported, 1, "Return");
  }
  question.paramExports.clear();
  question.returned = true;
  if (needsNoFinish(ret)) question.finished = true;
  closeOurQuestion(id);
}

void GuardStream::checkFinish(protocol::Finish::Reader finish) {
  auto question = findWorkerQuestion(finish.getQuestionId());
  if (question == nullptr) refuse("Finish for question ", finish.getQuestionId(), ", which is not open");
  if (question->finished) refuse("second Finish for question ", finish.getQuestionId());
  question->finished = true;
  question->releasesResults = finish.getReleaseResultCaps();
  if (question->releasesResults) {
    for (auto exported: question->resultExports) releaseOurExport(exported, 1, "Finish");
  }
  closeWorkerQuestion(finish.getQuestionId(), *question);
}

void GuardStream::checkResolve(protocol::Resolve::Reader resolve) {
  uint32_t id = resolve.getPromiseId();
  auto exported = workerExports_.find(id);
  if (exported != workerExports_.end() && exported->second.unresolved) {
    exported->second.unresolved = false;
  } else if (exported == workerExports_.end() && lateResolves_ > 0) {
    --lateResolves_;   // our Release of the promise crossed it
  } else {
    refuse("Resolve of ", id, ", which is not one of its promises");
  }
  switch (resolve.which()) {
    case protocol::Resolve::CAP:
      if (resolve.getCap().isSenderPromise()) refuse("Resolve of ", id, " to another promise of its own");
      checkCapability(resolve.getCap());
      return;
    case protocol::Resolve::EXCEPTION: return;
  }
  refuse("Resolve of unknown kind ", uint(resolve.which()));
}

void GuardStream::checkDisembargo(protocol::Disembargo::Reader disembargo) {
  auto context = disembargo.getContext();
  switch (context.which()) {
    case protocol::Disembargo::Context::SENDER_LOOPBACK:
      if (disembargoes_ >= limits_.disembargoesMax) refuse("more than ", limits_.disembargoesMax, " embargoes are open");
      ++disembargoes_;
      return checkTarget(disembargo.getTarget());
    case protocol::Disembargo::Context::RECEIVER_LOOPBACK: {
      uint32_t id = context.getReceiverLoopback();
      auto embargo = std::find(embargoes_.begin(), embargoes_.end(), id);
      if (embargo == embargoes_.end()) refuse("Disembargo ", id, ", which nobody asked for");
      embargoes_.erase(embargo);
      return;
    }
    default:
      refuse("Disembargo of kind ", uint(context.which()), "; expected senderLoopback or receiverLoopback");
  }
}

void GuardStream::checkTarget(protocol::MessageTarget::Reader target) {
  switch (target.which()) {
    case protocol::MessageTarget::IMPORTED_CAP: {
      uint32_t id = target.getImportedCap();
      if (id >= ourExports_.size() || ourExports_[id] == 0) refuse("target ", id, " was never given to it, or given back");
      return;
    }
    case protocol::MessageTarget::PROMISED_ANSWER: return checkPromisedAnswer(target.getPromisedAnswer());
  }
  refuse("unknown kind of target ", uint(target.which()));
}

void GuardStream::checkPromisedAnswer(protocol::PromisedAnswer::Reader answer) {
  auto question = findWorkerQuestion(answer.getQuestionId());
  if (question == nullptr || question->finished) {
    refuse("refers to the answer of question ", answer.getQuestionId(), ", which is not open");
  }
  auto steps = answer.getTransform();
  if (steps.size() > guard::PIPELINE_STEPS_MAX) {
    refuse("refers to an answer by a path of ", steps.size(), " steps, expected at most ", guard::PIPELINE_STEPS_MAX);
  }
  for (auto step: steps) {
    if (!step.isGetPointerField() || step.getGetPointerField() > guard::PIPELINE_POINTER_MAX) {
      refuse("refers to a part of an answer that no call is made on");
    }
  }
}

std::vector<uint32_t> GuardStream::checkCapabilities(protocol::Payload::Reader payload) {
  auto table = payload.getCapTable();
  if (table.size() > guard::CAPABILITIES_PER_MESSAGE_MAX) {
    refuse("got ", table.size(), " capabilities in one message, expected at most ", guard::CAPABILITIES_PER_MESSAGE_MAX);
  }
  std::vector<uint32_t> exports;
  for (auto capability: table) {
    KJ_IF_MAYBE(id, checkCapability(capability)) exports.push_back(*id);
  }
  return exports;
}

// The worker's own capability that comes with it, if any.
kj::Maybe<uint32_t> GuardStream::checkCapability(protocol::CapDescriptor::Reader capability) {
  auto add = [this](uint32_t id, bool promise) -> kj::Maybe<uint32_t> {
    auto added = workerExports_.try_emplace(id);
    auto& exported = added.first->second;
    if (added.second) {
      if (workerExports_.size() > limits_.exportsMax) refuse("more than ", limits_.exportsMax, " of its capabilities are held");
      exported.unresolved = promise;
    }
    ++exported.references;
    return id;
  };
  switch (capability.which()) {
    case protocol::CapDescriptor::NONE: return nullptr;
    case protocol::CapDescriptor::SENDER_HOSTED: return add(capability.getSenderHosted(), false);
    case protocol::CapDescriptor::SENDER_PROMISE: return add(capability.getSenderPromise(), true);
    case protocol::CapDescriptor::RECEIVER_HOSTED: {
      uint32_t id = capability.getReceiverHosted();
      if (id >= ourExports_.size() || ourExports_[id] == 0) refuse("capability ", id, " was never given to it, or given back");
      return nullptr;
    }
    case protocol::CapDescriptor::RECEIVER_ANSWER:
      checkPromisedAnswer(capability.getReceiverAnswer());
      return nullptr;
    case protocol::CapDescriptor::THIRD_PARTY_HOSTED: break;
  }
  refuse("capability of kind ", uint(capability.which()), "; third parties are not served");
}

void GuardStream::releaseOurExport(uint32_t id, uint64_t references, const char* by) {
  uint64_t held = id < ourExports_.size() ? ourExports_[id] : 0;
  if (references > held || held == 0) {
    refuse(by, " gives back ", references, " references to ", id, ", but it has ", held);
  }
  ourExports_[id] -= references;
}

// ---------------------------------------------------------------------------------------------------------------------
// From the supervisor

void GuardStream::noteOutgoing(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  if (violation_ != nullptr) return;
  // Our own message: only its envelope is read, and no limit is needed.
  capnp::ReaderOptions options;
  options.traversalLimitInWords = kj::maxValue;
  capnp::SegmentArrayMessageReader reader(segments, options);
  auto message = reader.getRoot<protocol::Message>();
  switch (message.which()) {
    case protocol::Message::BOOTSTRAP: return openOurQuestion(message.getBootstrap().getQuestionId(), {});
    case protocol::Message::CALL: {
      auto call = message.getCall();
      return openOurQuestion(call.getQuestionId(), noteOurExports(call.getParams()));
    }
    case protocol::Message::RETURN: return noteOutgoingReturn(message.getReturn(), sizeOf(segments));
    case protocol::Message::FINISH: {
      auto finish = message.getFinish();
      uint32_t id = finish.getQuestionId();
      KJ_ASSERT(id < ourQuestions_.size() && ourQuestions_[id].open, "Finish without a question", id);
      ourQuestions_[id].finished = true;
      // Written before the Return was known; it may have come in the meantime.
      if (finish.getReleaseResultCaps()) releaseWorkerExports(ourQuestions_[id].resultExports);
      return closeOurQuestion(id);
    }
    case protocol::Message::RESOLVE: {
      auto resolve = message.getResolve();
      if (resolve.isCap()) noteOurExport(resolve.getCap());
      return;
    }
    case protocol::Message::RELEASE: {
      auto release = message.getRelease();
      return releaseWorkerExport(release.getId(), release.getReferenceCount());
    }
    case protocol::Message::DISEMBARGO: {
      auto context = message.getDisembargo().getContext();
      if (context.isSenderLoopback()) embargoes_.push_back(context.getSenderLoopback());
      if (context.isReceiverLoopback() && disembargoes_ > 0) --disembargoes_;
      return;
    }
    case protocol::Message::ABORT: {
      // The RpcSystem gives up on the line. Unless that is because one of us goes, it is because of what the worker sent.
      auto abort = message.getAbort();
      if (abort.getType() != protocol::Exception::Type::DISCONNECTED) violate(abort.getReason());
      return;
    }
    default: return;
  }
}

void GuardStream::openOurQuestion(uint32_t id, std::vector<uint32_t> paramExports) {
  if (id >= ourQuestions_.size()) ourQuestions_.resize(id + 1);
  auto& question = ourQuestions_[id];
  question = OurQuestion();
  question.open = true;
  question.paramExports = kj::mv(paramExports);
}

void GuardStream::closeOurQuestion(uint32_t id) {
  auto& question = ourQuestions_[id];
  if (question.returned && question.finished) question = OurQuestion();
}

void GuardStream::noteOutgoingReturn(protocol::Return::Reader ret, uint64_t bytes) {
  auto question = findWorkerQuestion(ret.getAnswerId());
  KJ_ASSERT(question != nullptr, "Return without a question", ret.getAnswerId());
  question->answered = true;
  if (ret.isResults()) {
    question->resultExports = noteOurExports(ret.getResults());
    // Its Finish may have come first.
    if (question->finished && question->releasesResults) {
      for (auto exported: question->resultExports) --ourExports_[exported];
    }
  }
  if (ret.getReleaseParamCaps()) releaseWorkerExports(question->paramExports);
  question->answerBytes = bytes;
  answerBytes_ += bytes;
  if (needsNoFinish(ret)) question->finished = true;
  closeWorkerQuestion(ret.getAnswerId(), *question);
}

std::vector<uint32_t> GuardStream::noteOurExports(protocol::Payload::Reader payload) {
  std::vector<uint32_t> exports;
  for (auto capability: payload.getCapTable()) {
    KJ_IF_MAYBE(id, noteOurExport(capability)) exports.push_back(*id);
  }
  return exports;
}

kj::Maybe<uint32_t> GuardStream::noteOurExport(protocol::CapDescriptor::Reader capability) {
  uint32_t id;
  switch (capability.which()) {
    case protocol::CapDescriptor::SENDER_HOSTED: id = capability.getSenderHosted(); break;
    case protocol::CapDescriptor::SENDER_PROMISE: id = capability.getSenderPromise(); break;
    default: return nullptr;
  }
  if (id >= ourExports_.size()) ourExports_.resize(id + 1);
  ++ourExports_[id];
  return id;
}

void GuardStream::releaseWorkerExports(const std::vector<uint32_t>& ids) {
  for (auto id: ids) releaseWorkerExport(id, 1);
}

void GuardStream::releaseWorkerExport(uint32_t id, uint32_t references) {
  auto exported = workerExports_.find(id);
  if (exported == workerExports_.end()) return;
  exported->second.references -= std::min<uint64_t>(references, exported->second.references);
  if (exported->second.references > 0) return;
  if (exported->second.unresolved) lateResolves_ = std::min(lateResolves_ + 1, guard::LATE_RESOLVES_MAX);
  workerExports_.erase(exported);
}

GuardStream::WorkerQuestion* GuardStream::findWorkerQuestion(uint32_t id) {
  auto found = workerQuestions_.find(id);
  return found == workerQuestions_.end() ? nullptr : &found->second;
}

void GuardStream::closeWorkerQuestion(uint32_t id, WorkerQuestion& question) {
  if (question.answered) {
    questionBytes_ -= question.questionBytes;
    question.questionBytes = 0;
  }
  if (!question.answered || !question.finished) return;
  answerBytes_ -= question.answerBytes;
  auto kind = question.kind;
  workerQuestions_.erase(id);
  if (kind == WorkerQuestion::Kind::CALL) --openCalls_;
  if (kind != WorkerQuestion::Kind::READ) return;
  --openReads_;
  KJ_IF_MAYBE(fulfiller, readFinished_) {
    (*fulfiller)->fulfill();
    readFinished_ = nullptr;
  }
}

kj::Promise<void> GuardStream::whenReadFinished() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  readFinished_ = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

}  // namespace glovebox
