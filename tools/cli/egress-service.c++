#include "tools/cli/egress-service.h"

#include <capnp/serialize.h>
#include <kj/debug.h>

#include "tools/cli/failure.h"
#include "tools/cli/http-service.h"

namespace glovebox::cli {

EgressService::EgressService(Session& session, const Installation& installation, const SupervisorOptions& options)
    : session_(session), installation_(installation), options_(options) {}

kj::Maybe<rpc::Target::Client> EgressService::outboundOf(const project::ProjectConfig& config) {
  if (!config.egress) return nullptr;
  capnp::MallocMessageBuilder message;
  project::writeEgressPolicy(*config.egress, config.folder, message.initRoot<rpc::EgressPolicy>());
  auto words = capnp::messageToFlatArray(message);
  auto known = byProject_.find(config.name);
  if (known != byProject_.end() && known->second.policy.asBytes() == words.asBytes()) return known->second.outbound;
  auto flags = layerFlags(options_);
  auto outlet = kj::heap<egress::Outlet>(session_.port(), installation_.egress, kj::arrayPtr(flags.data(), flags.size()),
                                         message.getRoot<rpc::EgressPolicy>().asReader());
  rpc::Target::Client outbound = kj::mv(outlet);
  byProject_.insert_or_assign(config.name, Known{kj::mv(words), outbound});
  return outbound;
}

}  // namespace glovebox::cli
