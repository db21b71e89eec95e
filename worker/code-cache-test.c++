// V8's code caches between real worker processes (unjailed), each with a hash seed of its own, as workers of two zygotes have.
//
// V8 does not compare a cache with its text, only the length. So a cache that belongs to another text of the same length
// shows whether it was used: then the other text's code runs.

#include <gtest/gtest.h>

#include "worker/worker-under-test.h"

namespace glovebox {
namespace {

using Answer = WorkerUnderTest::Answer;
using Module = WorkerUnderTest::Module;
using Kind = WorkerUnderTest::Module::Kind;

std::vector<std::string> compile(std::vector<Module> modules) {
  WorkerUnderTest compiler;
  return compiler.compile(std::move(modules));
}

// What run() gives in a worker that was started with these caches.
Answer run(std::vector<Module> modules, std::vector<std::string> caches) {
  WorkerUnderTest worker;
  EXPECT_TRUE(worker.start(std::move(modules), {}, 128, std::move(caches)));
  return worker.call("run", {number(1)});
}

// Long enough to be compiled lazily.
std::string padding() { return "//" + std::string(16 << 10, ' ') + "\n"; }

std::string answering(const std::string& word) {
  return padding() + "export const word = '" + word + "'; export default { run() { return word; } };";
}

TEST(WorkerCodeCache, ServesAnotherProcess) {
  auto caches = compile({{"m.js", answering("one")}});
  ASSERT_EQ(caches.size(), 1u);
  EXPECT_EQ(run({{"m.js", answering("one")}}, caches), (Answer{"value", "\"one\""}));
  EXPECT_EQ(run({{"m.js", answering("two")}}, caches), (Answer{"value", "\"one\""})) << "the cache was not used";
}

TEST(WorkerCodeCache, ServesCommonJsModules) {
  auto modules = [](const std::string& word) {
    return std::vector<Module>{{"m.js", "import c from './c.cjs'; export default { run: () => c.word };"},
                               {"c.cjs", padding() + "module.exports = { word: '" + word + "' };", Kind::CJS}};
  };
  auto caches = compile(modules("one"));
  EXPECT_EQ(run(modules("one"), caches), (Answer{"value", "\"one\""}));
  EXPECT_EQ(run(modules("two"), caches), (Answer{"value", "\"one\""})) << "the cache was not used";
}

TEST(WorkerCodeCache, ServesModulesThatAreImportedLater) {
  auto modules = [](const std::string& word) {
    return std::vector<Module>{{"m.js", "export default { async run() { return (await import('./late.js')).word; } };"},
                               {"late.js", padding() + "export const word = '" + word + "';"}};
  };
  EXPECT_EQ(run(modules("two"), compile(modules("one"))), (Answer{"value", "\"one\""})) << "the cache was not used";
}

// V8 looks names up in a table by hash once a scope has more than 75; functions that are compiled only when they are called
// ask it, and hashes differ between processes.
TEST(WorkerCodeCache, NamesOfLargeScopesAreFoundUnderAnotherHashSeed) {
  std::string text = padding() + "export default { run() { return outer(); } };\nfunction outer() {\n";
  std::string sum = "0";
  for (int i = 0; i < 200; i++) {
    auto name = "name" + std::to_string(i);
    text += "let " + name + " = " + std::to_string(i) + ";\n";
    sum += " + " + name;
  }
  text += "function inner() { function innermost() { return " + sum + "; } return innermost(); }\nreturn inner();\n}\n";
  for (int i = 0; i < 3; i++) EXPECT_EQ(run({{"m.js", text}}, compile({{"m.js", text}})), (Answer{"value", "19900"}));
}

TEST(WorkerCodeCache, WhatV8RefusesIsCompiled) {
  auto good = compile({{"m.js", answering("one")}})[0];
  auto flipped = good;
  flipped[12] ^= 1;   // within the header that V8 checks: of other flags or of another version
  for (auto& broken: {std::string("rubbish"), std::string(1, '\0'), good.substr(0, good.size() / 2), good.substr(8), flipped}) {
    EXPECT_EQ(run({{"m.js", answering("two")}}, {broken}), (Answer{"value", "\"two\""}));
  }
}

TEST(WorkerCodeCache, NothingRunsWhileItIsMade) {
  std::string text = "for (;;); export default 1;";
  EXPECT_GT(compile({{"m.js", text}})[0].size(), 0u);
  EXPECT_GT(compile({{"c.cjs", "for (;;);", Kind::CJS}})[0].size(), 0u);
}

TEST(WorkerCodeCache, IsEmptyForWhatDoesNotCompileAndForWhatIsNoJavaScript) {
  auto caches = compile({{"m.js", answering("one")},
                         {"broken.js", "export default {"},
                         {"broken.cjs", "return {", Kind::CJS},
                         {"deep.js", std::string(200'000, '(')},
                         {"t.txt", "text", Kind::TEXT},
                         {"late.js", answering("one")}});
  ASSERT_EQ(caches.size(), 6u);
  EXPECT_GT(caches[0].size(), 0u);
  for (int i = 1; i < 5; i++) EXPECT_EQ(caches[i].size(), 0u) << i;
  EXPECT_GT(caches[5].size(), 0u);
}

TEST(WorkerCodeCache, AProcessCompilesOrStartsAndNotBoth) {
  {
    WorkerUnderTest compiler;
    compiler.compile({{"m.js", answering("one")}});
    EXPECT_NE(compiler.startAgain().find("start() comes after warm(), and once"), std::string::npos);
    EXPECT_NE(compiler.compileAgain().find("compile() comes after warm(), once, and instead of start()"), std::string::npos);
  }
  WorkerUnderTest worker;
  ASSERT_TRUE(worker.start(answering("one")));
  EXPECT_NE(worker.compileAgain().find("compile() comes after warm(), once, and instead of start()"), std::string::npos);
}

}  // namespace
}  // namespace glovebox
