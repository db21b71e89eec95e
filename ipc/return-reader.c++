#include "ipc/return-reader.h"

#include <capnp/schema.h>
#include <kj/debug.h>

namespace glovebox {

kj::Promise<CallOutcome> readReturn(capnp::Response<rpc::Return>&& response) {
  switch (response.which()) {
    case rpc::Return::VALUE:
      return readPayload(response.getValue()).then([](ReceivedValue value) { return CallOutcome(CallValue{kj::mv(value)}); });
    case rpc::Return::THROWN:
      return readPayload(response.getThrown()).then([](ReceivedValue value) { return CallOutcome(CallThrown{kj::mv(value)}); });
    case rpc::Return::ENDED: {
      auto ending = response.getEnded();
      return CallOutcome(CallEnded{ending.getCode(), kj::str(endingName(ending.getCode())), kj::str(ending.getMessage())});
    }
  }
  return KJ_EXCEPTION(FAILED, "an answer of a kind this client does not know");
}

kj::StringPtr endingName(rpc::Ending::Code code) {
  auto schema = capnp::Schema::from<rpc::Ending::Code>();
  for (auto enumerant: schema.getEnumerants()) {
    if (enumerant.getOrdinal() == static_cast<uint16_t>(code)) return enumerant.getProto().getName();
  }
  return "unknown"_kj;
}

}  // namespace glovebox
