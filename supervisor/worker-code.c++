#include "supervisor/worker-code.h"

#include <kj/map.h>

#include "ipc/wire-limits.h"

namespace glovebox {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }

// "YYYY-MM-DD" with a month and a day that exist.
bool isDate(kj::StringPtr text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  for (size_t i: {0, 1, 2, 3, 5, 6, 8, 9}) {
    if (!isDigit(text[i])) return false;
  }
  auto number = [&](size_t from, size_t length) {
    int result = 0;
    for (size_t i = from; i < from + length; i++) result = result * 10 + (text[i] - '0');
    return result;
  };
  int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  static constexpr int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= DAYS[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool isFlagName(kj::StringPtr name) {
  if (name.size() == 0 || name.size() > 128) return false;
  for (char c: name) {
    if (!((c >= 'a' && c <= 'z') || isDigit(c) || c == '_')) return false;
  }
  return true;
}

kj::Maybe<CodeError> error(kj::String message) { return CodeError{ErrorPrototype::ERROR, kj::mv(message)}; }
kj::Maybe<CodeError> typeError(kj::String message) { return CodeError{ErrorPrototype::TYPE, kj::mv(message)}; }

size_t bodySize(rpc::Module::Reader module) {
  switch (module.which()) {
    case rpc::Module::JS: return module.getJs().size();
    case rpc::Module::CJS: return module.getCjs().size();
    case rpc::Module::TEXT: return module.getText().size();
    case rpc::Module::DATA: return module.getData().size();
    case rpc::Module::JSON: return module.getJson().size();
    case rpc::Module::WASM: return module.getWasm().size();
  }
  return 0;
}

}  // namespace

kj::Maybe<CodeError> tryFindCodeError(rpc::WorkerCode::Reader code, capnp::List<rpc::Module>::Reader modules) {
  if (modules.size() == 0) return typeError(kj::str("Dynamic Worker code must contain at least one module."));

  size_t bytes = 0;
  kj::HashSet<kj::StringPtr> names;
  for (auto module: modules) {
    kj::StringPtr name = module.getName();
    if (name.size() == 0) return typeError(kj::str("A module's name must not be empty. Name it as it is imported, e.g. \"agent.js\"."));
    if (names.find(name) != nullptr) return typeError(kj::str("Two modules are named \"", name, "\". Give each module its own name."));
    names.insert(name);
    bytes += bodySize(module);
  }
  if (bytes > wire::CODE_BYTES_MAX) {
    return error(kj::str("Dynamic Worker code size (", bytes, " bytes) exceeds the maximum allowed size of ", wire::CODE_BYTES_MAX, " bytes."));
  }
  if (code.getMainModule().size() == 0) {
    return typeError(kj::str("Incorrect type for the 'mainModule' field on 'WorkerCode': the provided value is not of type 'string'."));
  }

  if (code.hasEnv()) {
    size_t envBytes = code.getEnv().totalSize().wordCount * sizeof(capnp::word);
    if (envBytes > wire::ENV_BYTES_MAX) {
      return error(kj::str("Dynamic Worker env size (", envBytes, " bytes) exceeds the maximum allowed size of ", wire::ENV_BYTES_MAX, " bytes."));
    }
  }

  if (code.getTails().size() > wire::TAILS_MAX) {
    return typeError(kj::str("A worker may have ", wire::TAILS_MAX, " tails; this one has ", code.getTails().size(), "."));
  }

  kj::StringPtr date = code.getCompatibilityDate();
  if (!isDate(date)) return error(kj::str("Invalid compatibility date: ", date));
  if (date > COMPATIBILITY_DATE_NEWEST) {
    return error(kj::str("This Worker requires compatibility date \"", date, "\", but the newest date supported by this server binary is \"",
                         COMPATIBILITY_DATE_NEWEST, "\"."));
  }
  bool nodejsCompat = false, noNodejsCompat = false;
  for (auto flag: code.getCompatibilityFlags()) {
    if (!isFlagName(flag)) return error(kj::str("No such compatibility flag: ", flag));
    nodejsCompat |= flag == "nodejs_compat"_kj;
    noNodejsCompat |= flag == "no_nodejs_compat"_kj;
  }
  if (nodejsCompat && noNodejsCompat) {
    return error(kj::str("Compatibility flags are mutually contradictory: nodejs_compat vs no_nodejs_compat"));
  }
  return nullptr;
}

}  // namespace glovebox
