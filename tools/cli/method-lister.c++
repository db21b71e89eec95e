#include "tools/cli/method-lister.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <vector>

#include "tools/cli/failure.h"
#include "tools/cli/terminal.h"

namespace glovebox::cli {
namespace {

constexpr size_t NAMES_SHOWN_MAX = 20;

// USER stands for the user's module. A plain object's methods are its own functions; a class has them on its prototype.
constexpr std::string_view SOURCE = R"(import * as user from USER;
export * from USER;
export default user.default ?? {};
export const gloveboxMethodLister = {
  methods(entrypoint) {
    const target = user[entrypoint];
    if (target === undefined || target === null) return { exports: Object.keys(user) };
    const isClass = typeof target === "function";
    const holder = isClass ? target.prototype ?? {} : target;
    const names = Object.getOwnPropertyNames(holder).filter((name) => name !== "constructor");
    const isMethod = (name) => typeof Object.getOwnPropertyDescriptor(holder, name).value === "function";
    return { methods: names.filter(isMethod) };
  },
};
)";

std::vector<std::string> namesIn(const rapidjson::Value& list) {
  std::vector<std::string> names;
  if (!list.IsArray()) return names;
  for (auto& name: list.GetArray()) {
    if (name.IsString()) names.emplace_back(name.GetString(), name.GetStringLength());
  }
  return names;
}

std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); i++) {
    if (i == NAMES_SHOWN_MAX) return out + ", and " + std::to_string(names.size() - i) + " more";
    out += (i > 0 ? ", " : "") + escapeControls(names[i]);
  }
  return out;
}

}  // namespace

std::string quoteJson(std::string_view text) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  return buffer.GetString();
}

ModuleFile methodLister(const std::string& mainModule) {
  std::string source(SOURCE);
  auto quoted = quoteJson("./" + mainModule);
  for (size_t at; (at = source.find("USER")) != std::string::npos;) source.replace(at, 4, quoted);
  return {"glovebox-method-lister.js", ModuleType::JS, source};
}

std::string chooseMethod(const std::string& listed, const std::string& mainModule, const std::string& entrypoint) {
  auto what = mainModule + (entrypoint.empty() ? "'s default export" : "'s export '" + entrypoint + "'");
  rapidjson::Document answer;
  answer.Parse(listed.data(), listed.size());
  if (answer.HasParseError() || !answer.IsObject()) {
    throw Failure(EXIT_CODE_CODE_ERROR, "the methods of " + what + " could not be listed; name one with --call");
  }
  auto exports = answer.FindMember("exports");
  if (exports != answer.MemberEnd()) {
    auto names = namesIn(exports->value);
    throw Failure(EXIT_CODE_CODE_ERROR,
                  mainModule + " has no " + (entrypoint.empty() ? "default export" : "export '" + entrypoint + "'") + (names.empty() ? "; it exports nothing" : "; it exports: " + join(names)) +
                      "\nExpected, for example: export default { async main(input, env, ctx) { return input; } }");
  }
  auto methods = answer.FindMember("methods");
  auto names = methods == answer.MemberEnd() ? std::vector<std::string>{} : namesIn(methods->value);
  if (names.size() == 1) return names[0];
  if (names.empty()) throw Failure(EXIT_CODE_CODE_ERROR, what + " has no methods to call");
  throw Failure(EXIT_CODE_USAGE, what + " has several methods; name one with --call: " + join(names));
}

}  // namespace glovebox::cli
