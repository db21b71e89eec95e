#include "client/cpp/errors.h"

#include <kj/debug.h>

#include <cstring>

#include "client/cpp/value.h"
#include "ipc/ending.h"

namespace glovebox::client {
namespace {

// KJ moves exceptions as its own plain type and cuts off what a derived one has. What must not be lost travels in a context
// of this name.
constexpr const char* THROWN_CONTEXT = "thrown by JavaScript";
constexpr const char* ENDED_CONTEXT = "ended by Glovebox";

kj::Maybe<const kj::Exception::Context&> findContext(const kj::Exception& exception, const char* name) {
  auto next = exception.getContext();
  for (;;) {
    KJ_IF_MAYBE (context, next) {
      if (strcmp(context->file, name) == 0) return *context;
      next = context->next.map(
          [](const kj::Own<kj::Exception::Context>& own) -> const kj::Exception::Context& { return *own; });
    } else {
      return nullptr;
    }
  }
}

kj::String headline(const std::string& name, const std::string& message) {
  if (name.empty()) return kj::heapString(message.data(), message.size());
  return message.empty() ? kj::heapString(name.data(), name.size()) : kj::str(name.c_str(), ": ", message.c_str());
}

// Empty if it is none, or the value no error.
std::string ownText(const Value& value, const char* name) {
  if (value.kind() != Value::Kind::ERROR) return "";
  auto text = value[name];
  return text.kind() == Value::Kind::STRING ? text.asString() : "";
}

std::string messageOf(const Value& thrown) {
  if (thrown.kind() == Value::Kind::ERROR) return ownText(thrown, "message");
  if (thrown.kind() == Value::Kind::STRING) return thrown.asString();
  std::string json;
  auto failed = kj::runCatchingExceptions([&]() { json = thrown.toJson(); });
  return failed == nullptr ? json : kindName(thrown.kind());
}

}  // namespace

Thrown::Thrown(std::string name_, std::string message_, std::string code_, std::string stack_)
    : kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, headline(name_, message_)),
      name(std::move(name_)),
      message(std::move(message_)),
      code(std::move(code_)),
      stack(std::move(stack_)) {
  auto parts = Value::array({Value(name), Value(message), Value(code), Value(stack)}).toJson();
  wrapContext(THROWN_CONTEXT, 0, kj::heapString(parts.data(), parts.size()));
}

Thrown::Thrown(const Value& value)
    : Thrown(ownText(value, "name"), messageOf(value), ownText(value, "code"), ownText(value, "stack")) {}

kj::Maybe<Thrown> Thrown::from(const kj::Exception& exception) {
  KJ_IF_MAYBE (context, findContext(exception, THROWN_CONTEXT)) {
    auto parts = Value::fromJson(std::string_view(context->description.begin(), context->description.size()));
    return Thrown(parts[0].asString(), parts[1].asString(), parts[2].asString(), parts[3].asString());
  }
  return nullptr;
}

Ended::Ended(rpc::Ending::Code code, std::string message_)
    : kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, headline("", message_)),
      code(code),
      name(endingName(code).cStr()),
      message(std::move(message_)) {
  wrapContext(ENDED_CONTEXT, static_cast<int>(code), kj::heapString(message.data(), message.size()));
}

kj::Maybe<Ended> Ended::from(const kj::Exception& exception) {
  KJ_IF_MAYBE (context, findContext(exception, ENDED_CONTEXT)) {
    return Ended(static_cast<rpc::Ending::Code>(context->line),
                 std::string(context->description.begin(), context->description.size()));
  }
  return nullptr;
}

Value errorFor(const kj::Exception& exception) {
  KJ_IF_MAYBE (thrown, Thrown::from(exception)) return Value::error(thrown->name, thrown->message, thrown->code);
  // KJ's way to say that somebody threw a std::exception.
  constexpr kj::StringPtr STANDARD = "std::exception: "_kj;
  auto text = exception.getDescription();
  return Value::error("Error", (text.startsWith(STANDARD) ? text.slice(STANDARD.size()) : text).cStr());
}

}  // namespace glovebox::client
