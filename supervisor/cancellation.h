#pragma once
// Dropping a call cancels it only if the method says so; all of the supervisor's do.

#include <capnp/common.h>

namespace glovebox {

// Cap'n Proto 1.x takes it from the schema instead.
template <typename Context>
void allowCancellation(Context& context) {
#if CAPNP_VERSION < 1000000
  context.allowCancellation();
#else
  (void)context;
#endif
}

}  // namespace glovebox
