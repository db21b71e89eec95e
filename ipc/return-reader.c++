#include "ipc/return-reader.h"

#include <kj/debug.h>

#include "ipc/ending.h"

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

}  // namespace glovebox
