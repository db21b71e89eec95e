#include "client/addon/napi.h"

#include <exception>

namespace glovebox::client {
namespace {

constexpr double NUMBER_MAX = 9007199254740991;   // 2^53 - 1

bool hasType(napi_env env, napi_value value, napi_valuetype wanted) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type == wanted;
}

void require(bool condition, kj::StringPtr what, kj::StringPtr expected) {
  if (!condition) throw typeError(kj::str(what, " must be ", expected, "."));
}

}  // namespace

JsError typeError(kj::String message) { return JsError{JsError::Type::TYPE_ERROR, kj::mv(message)}; }

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending || status == napi_pending_exception) throw JsExceptionPending();
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  auto words = info != nullptr && info->error_message != nullptr ? info->error_message : "unknown";
  throw JsError{JsError::Type::ERROR, kj::str("Node refused: ", words)};
}

bool isUndefined(napi_env env, napi_value value) { return hasType(env, value, napi_undefined); }

uint64_t toNumber(napi_env env, napi_value value, kj::StringPtr what) {
  double number = -1;
  if (hasType(env, value, napi_number)) check(env, napi_get_value_double(env, value, &number));
  require(number >= 0 && number <= NUMBER_MAX && number == double(uint64_t(number)), what, "a whole number from 0 to 2^53 - 1");
  return uint64_t(number);
}

bool toBool(napi_env env, napi_value value, kj::StringPtr what) {
  bool result = false;
  require(napi_get_value_bool(env, value, &result) == napi_ok, what, "true or false");
  return result;
}

kj::String toString(napi_env env, napi_value value, kj::StringPtr what) {
  require(hasType(env, value, napi_string), what, "a string");
  size_t size;
  check(env, napi_get_value_string_utf8(env, value, nullptr, 0, &size));
  auto result = kj::heapString(size);
  check(env, napi_get_value_string_utf8(env, value, result.begin(), size + 1, &size));
  return result;
}

kj::ArrayPtr<const kj::byte> toBytes(napi_env env, napi_value value, kj::StringPtr what) {
  bool isTypedArray = false;
  check(env, napi_is_typedarray(env, value, &isTypedArray));
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  void* data = nullptr;
  if (isTypedArray) check(env, napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr));
  require(isTypedArray && type == napi_uint8_array, what, "a Uint8Array");
  return kj::arrayPtr(static_cast<const kj::byte*>(data), length);
}

uint32_t arrayLength(napi_env env, napi_value value, kj::StringPtr what) {
  bool isArray = false;
  check(env, napi_is_array(env, value, &isArray));
  require(isArray, what, "an array");
  uint32_t length;
  check(env, napi_get_array_length(env, value, &length));
  return length;
}

napi_value element(napi_env env, napi_value array, uint32_t index) {
  napi_value result;
  check(env, napi_get_element(env, array, index, &result));
  return result;
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value result;
  require(hasType(env, object, napi_object), kj::str("what has the property \"", name, "\""), "an object");
  check(env, napi_get_named_property(env, object, name, &result));
  return result;
}

napi_value function(napi_env env, napi_value object, const char* name) {
  auto result = property(env, object, name);
  require(hasType(env, result, napi_function), kj::str("events.", name), "a function");
  return result;
}

napi_value fromNumber(napi_env env, uint64_t value) {
  napi_value result;
  check(env, napi_create_double(env, double(value), &result));
  return result;
}

napi_value fromBool(napi_env env, bool value) {
  napi_value result;
  check(env, napi_get_boolean(env, value, &result));
  return result;
}

napi_value fromString(napi_env env, kj::StringPtr value) {
  napi_value result;
  check(env, napi_create_string_utf8(env, value.begin(), value.size(), &result));
  return result;
}

napi_value undefined(napi_env env) {
  napi_value result;
  check(env, napi_get_undefined(env, &result));
  return result;
}

void throwInJs(napi_env env) noexcept {
  try {
    throw;
  } catch (JsExceptionPending&) {
  } catch (JsError& error) {
    if (error.type == JsError::Type::TYPE_ERROR) {
      napi_throw_type_error(env, error.code, error.message.cStr());
    } else {
      napi_throw_error(env, error.code, error.message.cStr());
    }
  } catch (kj::Exception& exception) {
    // The caller's mistake, in KJ's words.
    napi_throw_type_error(env, nullptr, exception.getDescription().cStr());
  } catch (std::exception& exception) {
    napi_throw_error(env, nullptr, exception.what());
  } catch (...) {
    napi_throw_error(env, nullptr, "unknown C++ exception");
  }
}

Arguments::Arguments(napi_env env, napi_callback_info info): env(env) {
  size_t count = MAX;
  check(env, napi_get_cb_info(env, info, &count, values_, &self_, nullptr));
}

}  // namespace glovebox::client
