#include "tools/project/project-config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/cli/failure.h"

namespace glovebox::project {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string failureOf(const std::string& text, const std::string& file = "wrangler.jsonc") {
  try {
    parseProjectConfig(text, file);
  } catch (const cli::Failure& failure) {
    return failure.what();
  }
  return "";
}

// With what every project needs.
std::string with(const std::string& more) { return "{ \"main\": \"src/index.ts\", \"compatibility_date\": \"2026-04-15\",\n" + more + "}"; }

constexpr const char* JSONC = R"({
  // The seed's, and more.
  "$schema": "node_modules/wrangler/config-schema.json",
  "name": "agent-sandbox",
  "main": "src/index.ts",
  "compatibility_date": "2026-04-15",
  "compatibility_flags": ["nodejs_compat"],
  "worker_loaders": [
    { "binding": "LOADER" }
  ],
  "vars": { "TEXT": "a", "NUMBER": 8080, "NESTED": { "list": [1, true, null], }, /* here too */ },
  "services": [{ "binding": "AUTH", "service": "auth", "entrypoint": "Admin", "props": { "level": 3 } }],
  "rules": [{ "type": "Text", "globs": ["**/*.md"], "fallthrough": true }, { "type": "Data", "globs": ["data/*"] }],
  "limits": { "cpu_ms": 50, "subrequests": 7, "memory_mb": 64 },
  "kv_namespaces": [],
})";

constexpr const char* TOML = R"(# The same
name = "agent-sandbox"
main = "src/index.ts"
compatibility_date = "2026-04-15"
compatibility_flags = [ "nodejs_compat" ] # one
kv_namespaces = []

[vars]
TEXT = "a"
NUMBER = 8080
NESTED = { list = [ 1, true ] }

[[worker_loaders]]
binding = "LOADER"

[[services]]
binding = "AUTH"
service = "auth"
entrypoint = "Admin"
props = { level = 3 }

[[rules]]
type = "Text"
globs = ["**/*.md"]
fallthrough = true
[[rules]]
type = "Data"
globs = ["data/*"]

[limits]
cpu_ms = 50
subrequests = 7
memory_mb = 64
)";

TEST(ProjectConfig, EveryKeyIsReadFromJsonWithCommentsAndFromToml) {
  for (auto [text, file, nested]: {std::tuple(JSONC, "dir/wrangler.jsonc", R"({"list":[1,true,null]})"), std::tuple(TOML, "dir/wrangler.toml", R"({"list":[1,true]})")}) {
    SCOPED_TRACE(file);
    auto config = parseProjectConfig(text, file);
    EXPECT_EQ(config.folder, "dir");
    EXPECT_EQ(config.name, "agent-sandbox");
    EXPECT_EQ(config.main, "src/index.ts");
    EXPECT_EQ(config.compatibilityDate, "2026-04-15");
    EXPECT_THAT(config.compatibilityFlags, ElementsAre("nodejs_compat"));
    EXPECT_THAT(config.workerLoaders, ElementsAre("LOADER"));
    ASSERT_EQ(config.vars.size(), 3u);
    EXPECT_EQ(config.vars[0].key, "TEXT");
    EXPECT_EQ(toJson(config.vars[0].value), "\"a\"");
    EXPECT_EQ(toJson(config.vars[1].value), "8080");
    EXPECT_EQ(toJson(config.vars[2].value), nested);
    ASSERT_EQ(config.services.size(), 1u);
    EXPECT_EQ(config.services[0].binding, "AUTH");
    EXPECT_EQ(config.services[0].service, "auth");
    EXPECT_EQ(config.services[0].entrypoint, "Admin");
    EXPECT_EQ(toJson(config.services[0].props), "{\"level\":3}");
    ASSERT_EQ(config.rules.size(), 2u);
    EXPECT_EQ(config.rules[0].type, cli::ModuleType::TEXT);
    EXPECT_TRUE(config.rules[0].fallthrough);
    EXPECT_THAT(config.rules[1].globs, ElementsAre("data/*"));
    EXPECT_EQ(config.limits.cpuMs, 50u);
    EXPECT_EQ(config.limits.subRequests, 7u);
    EXPECT_EQ(config.limits.memoryMb, 64u);
    EXPECT_EQ(config.limits.wallMs, 0u);
    EXPECT_THAT(config.warnings, IsEmpty());
  }
}

TEST(ProjectConfig, WhatHasNoMeaningHereIsAWarningWithItsNameAndLine) {
  auto config = parseProjectConfig(with("\"observability\": {},\n\"frobnicate\": 1,\n\"worker_loaders\": [{ \"binding\": \"L\", \"id\": 1 }], \"limits\": { \"speed\": 1 }"), "wrangler.jsonc");
  EXPECT_THAT(config.warnings, ElementsAre("wrangler.jsonc:2: observability: has no effect here", "wrangler.jsonc:3: frobnicate: unknown, and ignored",
                                           "wrangler.jsonc:4: worker_loaders[0].id: unknown, and ignored", "wrangler.jsonc:4: limits.speed: unknown, and ignored"));
}

TEST(ProjectConfig, ABindingThatThereIsNothingForIsAnErrorThatNamesItAndWhatThereIs) {
  for (auto kind: {"kv_namespaces", "d1_databases", "r2_buckets", "vectorize", "hyperdrive", "workflows"}) {
    EXPECT_EQ(failureOf(with("\"" + std::string(kind) + "\": [{ \"binding\": \"X\" }]")),
              "wrangler.jsonc:2: " + std::string(kind) + ": Glovebox has no bindings of this kind. Supported are: worker_loaders, vars and services.");
  }
  for (auto kind: {"durable_objects", "ai", "queues", "browser", "assets"}) {
    EXPECT_THAT(failureOf(with("\"" + std::string(kind) + "\": { \"binding\": \"X\" }")), HasSubstr(std::string(kind) + ": Glovebox has no bindings of this kind"));
  }
  EXPECT_THAT(failureOf("main = \"a.js\"\ncompatibility_date = \"2026-04-15\"\n[[kv_namespaces]]\nbinding = \"X\"\n", "wrangler.toml"),
              HasSubstr("wrangler.toml:3: kv_namespaces: Glovebox has no bindings of this kind"));
}

TEST(ProjectConfig, WhatIsWrongIsNamedByFileLineAndKey) {
  for (auto [text, words]: {
           std::pair("[]", "wrangler.jsonc:1:1: expected an object, { ... }; got an array"),
           std::pair("{ \"main\": \"a.js\" }", "wrangler.jsonc: `compatibility_date` is missing"),
           std::pair("{ \"compatibility_date\": \"2026-04-15\" }", "wrangler.jsonc: `main` is missing"),
           std::pair("{\n \"main\": 5 }", "wrangler.jsonc:2: main: expected the path of the main module, such as \"src/index.ts\"; got the number 5"),
           std::pair("{\n\n \"main\" \"a.js\" }", "wrangler.jsonc:3:9: this is not JSON: Missing a colon after a name of object member."),
           std::pair("{ \"main\": \"/etc/passwd\" }", "main: expected a path relative to the file"),
           std::pair("{ \"compatibility_date\": \"today\" }", "compatibility_date: expected a date such as \"2026-04-15\"; got \"today\""),
           std::pair("{ \"compatibility_flags\": \"x\" }", "compatibility_flags: expected an array of flags; got \"x\""),
           std::pair("{ \"compatibility_flags\": [\"a\", {}] }", "compatibility_flags[1]: expected the name of a flag; got an object"),
           std::pair("{ \"worker_loaders\": [\n{}] }", "wrangler.jsonc:2: worker_loaders[0]: `binding` is missing"),
           std::pair("{ \"worker_loaders\": { \"binding\": \"L\" } }", "worker_loaders: expected an array such as [{ \"binding\": \"LOADER\" }]; got an object"),
           std::pair("{ \"vars\": [] }", "vars: expected an object such as { \"KEY\": \"value\" }; got an array"),
           std::pair("{ \"services\": [{ \"binding\": \"A\" }] }", "services[0]: `service` is missing"),
           std::pair("{ \"services\": [{ \"binding\": \"A\", \"service\": \"\" }] }", "services[0].service: expected the `name` of a project; got \"\""),
           std::pair("{ \"services\": [{ \"binding\": \"A\", \"service\": \"b\", \"props\": 1 }] }", "services[0].props: expected an object, which the entrypoint finds as"),
           std::pair("{ \"rules\": [{ \"type\": \"Image\", \"globs\": [] }] }", "rules[0].type: expected one of ESModule, CommonJS, Text, Data, CompiledWasm; got \"Image\""),
           std::pair("{ \"rules\": [{ \"type\": \"Text\", \"globs\": [1] }] }", "rules[0].globs[0]: expected a glob such as \"**/*.md\"; got the number 1"),
           std::pair("{ \"limits\": { \"cpu_ms\": \"50\" } }", "limits.cpu_ms: expected a whole number from 1 to 4294967295; got \"50\""),
           std::pair("{ \"limits\": { \"cpu_ms\": 1.5 } }", "limits.cpu_ms: expected a whole number"),
           std::pair("{ \"limits\": { \"cpu_ms\": 4294967296 } }", "limits.cpu_ms: expected a whole number"),
       }) {
    EXPECT_THAT(failureOf(text), HasSubstr(words)) << text;
  }
  EXPECT_THAT(failureOf(with("\"vars\": { \"X\": 1 }, \"worker_loaders\": [{ \"binding\": \"X\" }]")), HasSubstr("two bindings of the name 'X'"));
  EXPECT_THAT(failureOf("main = \n", "wrangler.toml"), HasSubstr("wrangler.toml:1:8: this is not TOML: "));
  EXPECT_THAT(failureOf("main = 1979-05-27\n", "wrangler.toml"), HasSubstr("wrangler.toml:1:8: dates, times"));
}

TEST(ProjectConfig, WhatIsNestedWithoutEndIsRefused) {
  EXPECT_THAT(failureOf(with("\"vars\": { \"X\": " + std::string(100'000, '['))), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(failureOf("x = " + std::string(100'000, '['), "wrangler.toml"), HasSubstr("wrangler.toml:1:"));
}

// Cut or changed anywhere, it is read or refused in words; nothing else may come out.
TEST(ProjectConfig, DamagedFilesAreReadOrRefused) {
  for (auto& example: {std::pair(JSONC, "wrangler.jsonc"), std::pair(TOML, "wrangler.toml")}) {
    std::string text = example.first, file = example.second;
    size_t refused = 0;
    auto look = [&](const std::string& damaged) {
      auto words = failureOf(damaged, file);
      if (words.empty()) return;
      refused++;
      EXPECT_THAT(words, HasSubstr(file));
    };
    for (size_t i = 0; i < text.size(); i++) look(text.substr(0, i));
    for (size_t i = 0; i < text.size(); i++) {
      for (char c: {'\0', '"', '[', '}', '\n', '\xff', '9'}) {
        auto damaged = text;
        damaged[i] = c;
        look(damaged);
      }
      look(text.substr(0, i) + text.substr(i + 1));
    }
    EXPECT_GT(refused, text.size());
  }
}

}  // namespace
}  // namespace glovebox::project
