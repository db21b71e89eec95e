#include "tools/http/handler-probe.h"

#include "ipc/return-reader.h"
#include "tools/cli/thrown.h"

namespace glovebox::http {
namespace {

// In the runtime's words (ipc/js/fetch.ts, worker/runtime/).
constexpr std::string_view HANDLER_IS_MISSING = "does not export a fetch() function";
constexpr std::string_view ENTRYPOINT_IS_MISSING = "Worker has no default entrypoint.";

bool isNothingToCall(const std::string& words) {
  return words.find(HANDLER_IS_MISSING) != std::string::npos || words.find(ENTRYPOINT_IS_MISSING) != std::string::npos;
}

kj::Maybe<cli::Failure> judge(const CallOutcome& outcome, const std::string& name) {
  auto what = "'" + name + "' cannot serve: ";
  if (outcome.is<CallEnded>()) {
    auto& ended = outcome.get<CallEnded>();
    return cli::Failure(cli::exitCodeOf(ended.code), what + ended.message.cStr() + " (" + ended.name.cStr() + ")");
  }
  if (outcome.is<CallValue>()) return nullptr;
  auto words = cli::describeThrown(outcome.get<CallThrown>().graph);
  words = words.substr(0, words.find("\n    at "));   // the runtime's own places
  if (isNothingToCall(words)) words += " Requests go to export default { async fetch(request, env, ctx) { ... } }";
  return cli::Failure(cli::EXIT_CODE_CODE_ERROR, what + words);
}

}  // namespace

kj::Promise<kj::Maybe<cli::Failure>> probeHandler(rpc::Target::Client entrypoint, std::string name) {
  auto request = entrypoint.callRequest();
  request.initPath(1).set(0, "fetch");
  auto nodes = request.getOperation().initInvoke().initValue().initNodes(2);
  nodes[0].initArray().setLength(1);
  nodes[0].getArray().initItems(1).set(0, 1);
  nodes[1].setNull();
  return request.send()
      .then([](capnp::Response<rpc::Return>&& response) { return readReturn(kj::mv(response)); })
      .then([name](CallOutcome&& outcome) { return judge(outcome, name); },
            [name](kj::Exception&& exception) -> kj::Maybe<cli::Failure> {
              return cli::Failure(cli::EXIT_CODE_UNAVAILABLE, "'" + name + "' cannot serve: " + exception.getDescription().cStr());
            });
}

kj::Promise<kj::Maybe<cli::Failure>> probeHandler(rpc::Target::Client entrypoint, std::string name, project::StackMapper& mapper, cli::ModuleOrigins origins) {
  return probeHandler(kj::mv(entrypoint), std::move(name)).then([&mapper, origins](kj::Maybe<cli::Failure>&& failure) -> kj::Promise<kj::Maybe<cli::Failure>> {
    KJ_IF_MAYBE(known, failure) {
      KJ_IF_MAYBE(mapping, mapper.tryMap(known->what(), origins)) {
        return mapping->then([code = known->code()](std::string&& words) -> kj::Maybe<cli::Failure> { return cli::Failure(code, words); });
      }
    }
    return kj::mv(failure);
  });
}

}  // namespace glovebox::http
