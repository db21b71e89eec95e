#pragma once
// What we need of Node's C interface (node_api.h), with C++'s manners: failures are thrown here and become JavaScript
// exceptions at the border (entry() below), where KJ's exceptions end too. Only on the environment's thread.

#define NAPI_VERSION 8
#include <node_api.h>

#include <kj/array.h>
#include <kj/common.h>
#include <kj/exception.h>
#include <kj/string.h>

namespace glovebox::client {

// Thrown by C++, to be thrown in JavaScript.
struct JsError {
  enum class Type { ERROR, TYPE_ERROR };
  Type type;
  kj::String message;
  const char* code = nullptr;
};

// A JavaScript exception is on its way already.
struct JsExceptionPending {};

JsError typeError(kj::String message);

// Throws if Node refused.
void check(napi_env env, napi_status status);

// -- From JavaScript; TypeErrors name `what` -----------------------------------------------------------------------------

bool isUndefined(napi_env env, napi_value value);
uint64_t toNumber(napi_env env, napi_value value, kj::StringPtr what);   // 0 to 2^53 - 1
bool toBool(napi_env env, napi_value value, kj::StringPtr what);
kj::String toString(napi_env env, napi_value value, kj::StringPtr what);
kj::ArrayPtr<const kj::byte> toBytes(napi_env env, napi_value value, kj::StringPtr what);   // a Uint8Array; borrowed
uint32_t arrayLength(napi_env env, napi_value value, kj::StringPtr what);
napi_value element(napi_env env, napi_value array, uint32_t index);
napi_value property(napi_env env, napi_value object, const char* name);
napi_value function(napi_env env, napi_value object, const char* name);

// -- To JavaScript -------------------------------------------------------------------------------------------------------

napi_value fromNumber(napi_env env, uint64_t value);
napi_value fromBool(napi_env env, bool value);
napi_value fromString(napi_env env, kj::StringPtr value);
napi_value undefined(napi_env env);

// -- The border ----------------------------------------------------------------------------------------------------------

// Throws in JavaScript what is being handled; called inside a catch block.
void throwInJs(napi_env env) noexcept;

class Arguments {
 public:
  static constexpr size_t MAX = 7;
  Arguments(napi_env env, napi_callback_info info);
  napi_value operator[](size_t index) const { return values_[index]; }
  napi_value self() const { return self_; }
  const napi_env env;

 private:
  napi_value values_[MAX];   // undefined where there is none
  napi_value self_;
};

// Makes a C++ function one that Node can call.
template <napi_value (*implementation)(const Arguments&)>
napi_value entry(napi_env env, napi_callback_info info) noexcept {
  try {
    return implementation(Arguments(env, info));
  } catch (...) {
    throwInJs(env);
    return nullptr;
  }
}

}  // namespace glovebox::client
