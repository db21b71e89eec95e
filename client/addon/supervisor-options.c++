#include "client/addon/supervisor-options.h"

#include "policy/layers.h"
#include "policy/profile.h"

namespace glovebox::client {
namespace {

void readNumber(napi_env env, napi_value from, const char* name, uint32_t& to, uint32_t min = 1) {
  auto value = property(env, from, name);
  if (isUndefined(env, value)) return;
  auto number = toNumber(env, value, name);
  if (number < min || number > UINT32_MAX) throw typeError(kj::str(name, " must be from ", min, " to ", UINT32_MAX, "."));
  to = uint32_t(number);
}

std::string_view viewOf(const kj::String& text) { return {text.begin(), text.size()}; }

template <typename Items, typename NameOf>
napi_value toArray(napi_env env, const Items& items, NameOf&& nameOf) {
  napi_value array;
  check(env, napi_create_array(env, &array));
  uint32_t index = 0;
  for (auto& item: items) {
    std::string_view name = nameOf(item);
    check(env, napi_set_element(env, array, index++, fromString(env, kj::heapString(name.data(), name.size()))));
  }
  return array;
}

}  // namespace

SupervisorOptions toSupervisorOptions(napi_env env, napi_value from) {
  SupervisorOptions options;
  auto profile = property(env, from, "profile");
  if (!isUndefined(env, profile)) {
    auto name = toString(env, profile, "profile");
    auto parsed = policy::tryParseProfile(viewOf(name));
    if (!parsed) throw typeError(kj::str("There is no profile '", name, "'."));
    options.profile = *parsed;
  }
  auto missing = property(env, from, "allowMissing");
  if (!isUndefined(env, missing)) {
    auto count = arrayLength(env, missing, "allowMissing");
    for (uint32_t i = 0; i < count; i++) {
      auto name = toString(env, element(env, missing, i), "a layer's name");
      auto layer = policy::tryParseLayer(viewOf(name));
      if (!layer) throw typeError(kj::str("There is no layer '", name, "'."));
      options.allowMissing.add(*layer);
    }
  }
  readNumber(env, from, "poolSize", options.poolSize);
  auto limits = property(env, from, "limits");
  if (!isUndefined(env, limits)) {
    for (auto& limit: WORKER_LIMITS) readNumber(env, limits, limit.name, options.limits.*limit.field);
  }
  readNumber(env, from, "workersMax", options.workersMax);
  readNumber(env, from, "codeCacheMbMax", options.codeCacheMbMax, 0);
  readNumber(env, from, "namedIdleMsMax", options.namedIdleMsMax);
  readNumber(env, from, "namedMemoryMbMax", options.namedMemoryMbMax);
  return options;
}

napi_value profileNames(napi_env env) {
  return toArray(env, policy::PROFILES, [](policy::Profile profile) { return policy::profileName(profile); });
}

napi_value limitNames(napi_env env) {
  return toArray(env, WORKER_LIMITS, [](const WorkerLimitInfo& limit) { return limit.name; });
}

napi_value layerNames(napi_env env) {
  return toArray(env, policy::LAYERS, [](const policy::LayerInfo& layer) { return layer.name; });
}

}  // namespace glovebox::client
