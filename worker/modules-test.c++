// Modules in a real worker process (unjailed): kinds, resolution, and how a start fails.

#include <gtest/gtest.h>

#include "worker/worker-under-test.h"

namespace glovebox {
namespace {

using Answer = WorkerUnderTest::Answer;
using Kind = WorkerUnderTest::Module::Kind;

class ModulesTest: public testing::Test {
 protected:
  WorkerUnderTest worker;

  // What each call on a worker that did not start is answered.
  std::string failure(std::vector<WorkerUnderTest::Module> modules) {
    EXPECT_FALSE(worker.start(std::move(modules)));
    auto answer = worker.call("any", {number(1)});
    EXPECT_EQ(answer.kind, "thrown");
    EXPECT_EQ(worker.call("other", {number(1)}), answer);
    return answer.shown;
  }
  Answer run() { return worker.call("run", {number(1)}); }
};

TEST_F(ModulesTest, AllKindsCanBeImported) {
  std::string wasm("\0asm\1\0\0\0" "\1\5\1\x60\0\1\x7f" "\3\2\1\0" "\7\5\1\1f\0\0" "\n\6\1\4\0\x41\x2a\x0b", 38 - 1);
  ASSERT_TRUE(worker.start({{"src/main.js", R"(
      import text from "./a.txt";
      import json from "../data.json";
      import data from "/bin/data";
      import cjs from "./c.cjs";
      import bare, { named } from "bare";
      import * as workers from "cloudflare:workers";
      export default { async run() {
        const dynamic = await import("./late.js");
        return [text, json, data instanceof ArrayBuffer, data.byteLength, cjs, bare, named, dynamic.late,
                typeof workers.WorkerEntrypoint, typeof workers.RpcTarget, typeof workers.DurableObject];
      } };
    )"},
    {"src/a.txt", "text", Kind::TEXT}, {"data.json", "{\"a\":[1]}", Kind::JSON}, {"bin/data", std::string("\0\1\2", 3), Kind::DATA},
    {"src/c.cjs", "exports.a = require('../data.json').a; exports.names = [__filename, __dirname];", Kind::CJS},
    {"bare", "export default 'b'; export const named = 'n';"}, {"src/late.js", "export const late = 'l';"}}));
  EXPECT_EQ(run(), (Answer{"value", R"(["text",{"a":[1]},true,3,{"a":[1],"names":["src/c.cjs","src"]},"b","n","l","function","function","function"])"}));
}

TEST_F(ModulesTest, AWebAssemblyModuleIsImportedCompiled) {
  const unsigned char bytes[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0,
                                 7, 5, 1, 1, 'f', 0, 0, 10, 6, 1, 4, 0, 0x41, 42, 0x0b};
  ASSERT_TRUE(worker.start({{"m.js", R"(
      import module from "./x.wasm";
      import source same from "./x.wasm";
      export default { run() { return [new WebAssembly.Instance(module).exports.f(), same === module]; } };
    )"}, {"x.wasm", std::string(reinterpret_cast<const char*>(bytes), sizeof bytes), Kind::WASM}}));
  EXPECT_EQ(run(), (Answer{"value", "[42,true]"}));
}

TEST_F(ModulesTest, ModulesMayImportEachOtherInACircle) {
  ASSERT_TRUE(worker.start({{"a.js", "import { b } from './b.js'; export const a = () => 'a'; export default { run() { return b(); } };"},
                            {"b.js", "import { a } from './a.js'; export const b = () => a() + 'b';"}}));
  EXPECT_EQ(run(), (Answer{"value", "\"ab\""}));
}

TEST_F(ModulesTest, CommonJsModulesMayRequireEachOtherInACircle) {
  ASSERT_TRUE(worker.start({{"m.js", "import a from './a'; export default { run() { return a.seen; } };"},
                            {"a", "exports.early = 1; exports.seen = require('./b').early;", Kind::CJS},
                            {"b", "exports.early = require('./a').early + 1;", Kind::CJS}}));
  EXPECT_EQ(run(), (Answer{"value", "2"}));
}

TEST_F(ModulesTest, TopLevelAwaitMaySettle) {
  ASSERT_TRUE(worker.start("const x = await Promise.resolve(5); export default { run() { return x; } };"));
  EXPECT_EQ(run(), (Answer{"value", "5"}));
}

TEST_F(ModulesTest, EnvCanBeReadAtTopLevel) {
  ASSERT_TRUE(worker.start({{"m.js", "import { env } from 'cloudflare:workers'; const x = env.X; "
                                     "export default { run(_, e) { return [x, e === env]; } };"}}, objectOf({{"X", number(1)}})));
  EXPECT_EQ(run(), (Answer{"value", "[1,true]"}));
}

TEST_F(ModulesTest, ExportsThatAreNoFunctionsAreIgnored) {
  ASSERT_TRUE(worker.start("export const x = 1; export default { run() { return 'fine'; } };"));
  EXPECT_EQ(run(), (Answer{"value", "\"fine\""}));
}

TEST_F(ModulesTest, AFailedDynamicImportRejects) {
  ASSERT_TRUE(worker.start({{"m.js", "export default { run() { return import('./nope.js'); } };"}}));
  EXPECT_EQ(run(), (Answer{"thrown", "Error: No such module \"nope.js\".\n  imported from \"m.js\""}));
}

TEST_F(ModulesTest, ASyntaxErrorNamesItsPlace) {
  EXPECT_EQ(failure({{"m.js", "export default {"}}),
            "Error: Failed to start Worker:\nUncaught SyntaxError: Unexpected end of input\n  at m.js:1:16");
}

TEST_F(ModulesTest, AThrowAtTopLevelNamesItsPlace) {
  EXPECT_EQ(failure({{"m.js", "throw new TypeError('boom')"}}),
            "Error: Failed to start Worker:\nUncaught TypeError: boom\n  at m.js:1:7");
}

TEST_F(ModulesTest, AMissingImportNamesItsImporter) {
  EXPECT_EQ(failure({{"m.js", "import './nope.js';"}}),
            "Error: Failed to start Worker:\nUncaught Error: No such module \"nope.js\".\n  imported from \"m.js\"");
}

TEST_F(ModulesTest, AnUnknownBuiltInIsAMissingModule) {
  EXPECT_EQ(failure({{"m.js", "import 'cloudflare:nope';"}}),
            "Error: Failed to start Worker:\nUncaught Error: No such module \"cloudflare:nope\".\n  imported from \"m.js\"");
}

TEST_F(ModulesTest, ATopLevelAwaitThatNeverSettlesIsAnError) {
  EXPECT_EQ(failure({{"m.js", "await new Promise(() => {});"}}),
            "Error: Failed to start Worker:\nUncaught Error: Top-level await in module is unsettled.");
}

TEST_F(ModulesTest, OneThatDoesNotCompileFailsTheSameHoweverOftenItIsImported) {
  ASSERT_TRUE(worker.start({{"m.js", R"(export default { async run() {
        const words = [];
        for (let i = 0; i < 3; i++) { try { words.push(typeof (await import("./bad.js"))); } catch (error) { words.push(error.name); } }
        return words;
      } };)"}, {"bad.js", "export const x = ;"}}));
  EXPECT_EQ(run(), (Answer{"value", R"(["SyntaxError","SyntaxError","SyntaxError"])"}));
}

TEST_F(ModulesTest, TimersAreForHandlers) {
  auto text = failure({{"m.js", "setTimeout(() => {}, 1);"}});
  EXPECT_TRUE(text.starts_with(
      "Error: Failed to start Worker:\nUncaught Error: Disallowed operation called within global scope. Asynchronous I/O (ex: "
      "fetch() or connect()), setting a timeout, and generating random values are not allowed within global scope. To fix this "
      "error, perform this operation within a handler. https://developers.cloudflare.com/workers/runtime-apis/handlers/\n  at m.js:1:"))
      << text;
}

}  // namespace
}  // namespace glovebox
