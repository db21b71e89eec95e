#pragma once
// Why a call was not answered, in the words that users see.

#include <kj/exception.h>

#include "ipc/call.capnp.h"

namespace glovebox {

// The name of an ending as users see it: the schema's.
kj::StringPtr endingName(rpc::Ending::Code code);

// There is nobody to ask.
constexpr kj::StringPtr DISCONNECTED_NAME = "disconnected"_kj;

// The same for a call that failed on its way: whoever is refused for lack of room may try again, all else is DISCONNECTED_NAME.
kj::StringPtr failureName(const kj::Exception& exception);

// Without what Cap'n Proto puts before a description at each hop. Lives as long as the exception.
kj::StringPtr textWithoutHops(const kj::Exception& exception);

}  // namespace glovebox
