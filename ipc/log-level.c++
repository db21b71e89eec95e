#include "ipc/log-level.h"

#include <capnp/schema.h>

namespace glovebox {

kj::StringPtr levelName(rpc::LogMessage::Level level) {
  auto names = capnp::Schema::from<rpc::LogMessage::Level>().getEnumerants();
  auto number = static_cast<uint16_t>(level);
  return names[number < names.size() ? number : static_cast<uint16_t>(rpc::LogMessage::Level::LOG)].getProto().getName();
}

}  // namespace glovebox
