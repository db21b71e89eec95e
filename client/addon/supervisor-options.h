#pragma once
// SupervisorOptions as JavaScript gives them: NativeSupervisorOptions in client/src/addon.d.ts, checked by its caller.

#include "client/addon/napi.h"
#include "supervisor/supervisor.h"

namespace glovebox::client {

SupervisorOptions toSupervisorOptions(napi_env env, napi_value from);

// The names that there are, for whoever checks.
napi_value profileNames(napi_env env);
napi_value layerNames(napi_env env);
napi_value limitNames(napi_env env);

}  // namespace glovebox::client
