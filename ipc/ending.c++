#include "ipc/ending.h"

#include <capnp/schema.h>

namespace glovebox {

kj::StringPtr endingName(rpc::Ending::Code code) {
  auto names = capnp::Schema::from<rpc::Ending::Code>().getEnumerants();
  auto number = static_cast<uint16_t>(code);
  return number < names.size() ? names[number].getProto().getName() : "unknown"_kj;
}

kj::StringPtr failureName(const kj::Exception& exception) {
  if (exception.getType() == kj::Exception::Type::OVERLOADED) return endingName(rpc::Ending::Code::OVERLOADED);
  return DISCONNECTED_NAME;
}

kj::StringPtr textWithoutHops(const kj::Exception& exception) {
  constexpr kj::StringPtr MARK = "remote exception: "_kj;
  kj::StringPtr text = exception.getDescription();
  while (text.startsWith(MARK)) text = text.slice(MARK.size());
  return text;
}

}  // namespace glovebox
