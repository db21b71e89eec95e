#include "client/addon/js-events.h"

#include <array>

#include "ipc/ending.h"

namespace glovebox::client {
namespace {

napi_value fromValue(napi_env env, rpc::Value::Reader value) {
  napi_value buffer = nullptr;
  size_t words = copyValue(value, [&](size_t words) {
    void* data = nullptr;
    check(env, napi_create_arraybuffer(env, words * sizeof(capnp::word), &data, &buffer));   // zeroed
    return kj::arrayPtr(static_cast<capnp::word*>(data), words);
  });
  napi_value bytes;
  check(env, napi_create_typedarray(env, napi_uint8_array, words * sizeof(capnp::word), buffer, 0, &bytes));
  return bytes;
}

napi_value fromExternals(napi_env env, kj::ArrayPtr<const IncomingExternal> externals) {
  napi_value array;
  check(env, napi_create_array_with_length(env, externals.size(), &array));
  for (auto i: kj::indices(externals)) {
    napi_value object;
    check(env, napi_create_object(env, &object));
    check(env, napi_set_named_property(env, object, "kind", fromNumber(env, uint64_t(externals[i].kind))));
    check(env, napi_set_named_property(env, object, "id", fromNumber(env, externals[i].id)));
    check(env, napi_set_named_property(env, object, "imported", fromBool(env, true)));
    check(env, napi_set_element(env, array, uint32_t(i), object));
  }
  return array;
}

napi_value fromPath(napi_env env, kj::ArrayPtr<const kj::String> path) {
  napi_value array;
  check(env, napi_create_array_with_length(env, path.size(), &array));
  for (auto i: kj::indices(path)) check(env, napi_set_element(env, array, uint32_t(i), fromString(env, path[i])));
  return array;
}

napi_value fromDouble(napi_env env, double number) {
  napi_value value;
  check(env, napi_create_double(env, number, &value));
  return value;
}

// NativeAccount in client/src/addon.d.ts.
napi_value fromAccount(napi_env env, rpc::Account::Reader account) {
  auto make = [env]() {
    napi_value object;
    check(env, napi_create_object(env, &object));
    return object;
  };
  auto set = [env](napi_value object, const char* name, napi_value value) { check(env, napi_set_named_property(env, object, name, value)); };
  auto list = [env](napi_value object, const char* name, auto&& from, auto&& convert) {
    napi_value array;
    check(env, napi_create_array_with_length(env, from.size(), &array));
    for (auto i: kj::indices(from)) check(env, napi_set_element(env, array, uint32_t(i), convert(from[i])));
    check(env, napi_set_named_property(env, object, name, array));
  };
  auto result = make();
  set(result, "outcome", fromString(env, endingName(account.getOutcome())));
  set(result, "startTime", fromDouble(env, account.getStartTime()));
  set(result, "wallMs", fromDouble(env, double(account.getWallUs()) / 1000));
  set(result, "cpuMs", fromDouble(env, double(account.getCpuUs()) / 1000));
  set(result, "peakMemoryBytes", fromDouble(env, double(account.getPeakMemoryBytes())));
  set(result, "subRequests", fromNumber(env, account.getSubRequests()));
  set(result, "bytesIn", fromDouble(env, double(account.getBytesIn())));
  set(result, "bytesOut", fromDouble(env, double(account.getBytesOut())));
  list(result, "capabilities", account.getCapabilities(), [&](rpc::Account::Use::Reader use) {
    auto to = make();
    set(to, "label", fromString(env, use.getLabel()));
    set(to, "kind", fromString(env, use.getKind()));
    set(to, "calls", fromDouble(env, double(use.getCalls())));
    set(to, "bytesOut", fromDouble(env, double(use.getBytesOut())));
    set(to, "bytesIn", fromDouble(env, double(use.getBytesIn())));
    return to;
  });
  list(result, "logs", account.getLogs(), [&](rpc::LogMessage::Reader log) {
    auto to = make();
    set(to, "level", fromNumber(env, uint64_t(log.getLevel())));
    set(to, "time", fromDouble(env, log.getTime()));
    set(to, "text", fromString(env, log.getText()));
    return to;
  });
  list(result, "exceptions", account.getExceptions(), [&](rpc::ThrownError::Reader thrown) {
    auto to = make();
    set(to, "time", fromDouble(env, thrown.getTime()));
    set(to, "name", fromString(env, thrown.getName()));
    set(to, "message", fromString(env, thrown.getMessage()));
    set(to, "stack", fromString(env, thrown.getStack()));
    return to;
  });
  set(result, "truncated", fromBool(env, account.getTruncated()));
  return result;
}

// Everything that is made for one event is gone after it.
class HandleScope {
 public:
  explicit HandleScope(napi_env env): env_(env) { check(env, napi_open_handle_scope(env, &scope_)); }
  ~HandleScope() { napi_close_handle_scope(env_, scope_); }
  KJ_DISALLOW_COPY(HandleScope);

 private:
  napi_env env_;
  napi_handle_scope scope_ = nullptr;
};

napi_value resolve(napi_env env, napi_ref reference) {
  napi_value value;
  check(env, napi_get_reference_value(env, reference, &value));
  return value;
}

}  // namespace

JsEvents::JsEvents(Environment& environment, napi_value events): environment_(environment), env_(environment.env()) {
  constexpr const char* NAMES[CALLBACKS] = {"deliver", "answered", "released", "log", "closed"};
  napi_value functions[CALLBACKS];
  for (auto i: kj::indices(NAMES)) functions[i] = function(env_, events, NAMES[i]);
  check(env_, napi_create_reference(env_, events, 1, &events_));
  for (auto i: kj::indices(NAMES)) check(env_, napi_create_reference(env_, functions[i], 1, &callbacks_[i]));
}

JsEvents::~JsEvents() noexcept(false) {
  napi_delete_reference(env_, events_);
  for (auto callback: callbacks_) napi_delete_reference(env_, callback);
}

template <typename MakeArguments>
void JsEvents::emit(Callback callback, MakeArguments&& makeArguments) {
  try {
    HandleScope scope(env_);
    auto arguments = makeArguments();
    auto self = resolve(env_, events_);
    auto function = resolve(env_, callbacks_[callback]);
    // Runs what the callback has left for nextTick, and its microtasks, too.
    if (napi_make_callback(env_, nullptr, self, function, arguments.size(), arguments.data(), nullptr) == napi_ok) return;
    bool pending = false;
    napi_is_exception_pending(env_, &pending);
    napi_value exception;
    if (pending && napi_get_and_clear_last_exception(env_, &exception) == napi_ok) napi_fatal_exception(env_, exception);
  } catch (JsError& error) {
    // Out of memory, or the environment is ending.
    throw kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(error.message));
  } catch (JsExceptionPending&) {
    napi_value exception;
    napi_get_and_clear_last_exception(env_, &exception);
    throw kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str("JavaScript could not take it"));
  }
}

void JsEvents::deliver(Number call, Number target, kj::ArrayPtr<const kj::String> path, kj::Maybe<rpc::Value::Reader> args,
                       kj::ArrayPtr<const IncomingExternal> externals) {
  emit(DELIVER, [&]() {
    napi_value bytes;
    KJ_IF_MAYBE(value, args) {
      bytes = fromValue(env_, *value);
    } else {
      bytes = undefined(env_);
    }
    return std::array{fromNumber(env_, call), fromNumber(env_, target), fromPath(env_, path), bytes, fromExternals(env_, externals)};
  });
}

void JsEvents::answered(Number call, const Answer& answer) {
  emit(ANSWERED, [&]() {
    napi_value value;
    KJ_IF_MAYBE(v, answer.value) {
      value = fromValue(env_, *v);
    } else {
      value = fromString(env_, answer.message);
    }
    napi_value account;
    KJ_IF_MAYBE(a, answer.account) {
      account = fromAccount(env_, *a);
    } else {
      account = undefined(env_);
    }
    return std::array{fromNumber(env_, call),
                      fromNumber(env_, uint64_t(answer.kind)),
                      value,
                      fromExternals(env_, answer.externals),
                      fromBool(env_, answer.disposable),
                      fromBool(env_, answer.pipeline),
                      answer.code == nullptr ? undefined(env_) : fromString(env_, answer.code),
                      account};
  });
}

void JsEvents::released(Number target) {
  emit(RELEASED, [&]() { return std::array{fromNumber(env_, target)}; });
}

void JsEvents::log(Number worker, rpc::LogMessage::Level level, double time, kj::StringPtr text) {
  emit(LOG, [&]() {
    napi_value milliseconds;
    check(env_, napi_create_double(env_, time, &milliseconds));
    return std::array{fromNumber(env_, worker), fromNumber(env_, uint64_t(level)), milliseconds, fromString(env_, text)};
  });
}

void JsEvents::closed(kj::StringPtr message) {
  environment_.noteEnded();
  emit(CLOSED, [&]() { return std::array{fromString(env_, message)}; });
}

}  // namespace glovebox::client
