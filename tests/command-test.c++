// The command from end to end: exit codes, words and streams, with the real jail behind it.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "supervisor/supervisor.h"
#include "tests/command.h"
#include "tools/cli/exit-codes.h"
#include "tools/daemon-process.h"

namespace glovebox::test {
namespace {

using namespace cli;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class Folder {
 public:
  Folder() {
    char path[] = "/tmp/glovebox-command-XXXXXX";
    if (mkdtemp(path) == nullptr) throw std::runtime_error("cannot make a folder in /tmp");
    path_ = path;
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string path(const std::string& name) const { return path_ / name; }
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

// The module text stands on standard input.
CommandEnd runModule(const std::string& text, Words options = {}) {
  Words words{"run", "-"};
  words.insert(words.end(), options.begin(), options.end());
  return runGlovebox(words, text);
}

void expectResult(const CommandEnd& end, const std::string& json) {
  EXPECT_EQ(end.code, EXIT_CODE_OK) << describe(end);
  EXPECT_EQ(end.output, json + "\n") << describe(end);
  EXPECT_FALSE(end.leftProcesses);
}

void expectFailure(const CommandEnd& end, ExitCode code, const std::string& words) {
  EXPECT_EQ(end.code, code) << describe(end);
  EXPECT_EQ(end.output, "") << "only a result belongs on standard output";
  EXPECT_THAT(end.errors, HasSubstr(words));
  EXPECT_EQ(end.errors.find("stack:"), std::string::npos) << "a trace of Glovebox's own: " << end.errors;
  EXPECT_FALSE(end.leftProcesses);
}

rapidjson::Document parse(const std::string& json) {
  rapidjson::Document document;
  document.Parse(json.c_str());
  EXPECT_FALSE(document.HasParseError()) << json;
  return document;
}

// -- What the code does -------------------------------------------------------------------------------------------------

TEST(Run, PrintsTheResultAsJsonAndNothingElse) {
  auto end = runModule("export default { async myAgent(input) { return { doubled: input.value * 2 }; } }", {"--call", "myAgent", "--arg", R"({"value":21})"});
  expectResult(end, R"({"doubled":42})");
  EXPECT_EQ(end.errors, "");
}

TEST(Run, ConsoleGoesToStandardError) {
  auto end = runModule("export default { f() { console.log('hello', { a: 1 }); } }");
  expectResult(end, "null");
  EXPECT_EQ(end.errors, "hello { a: 1 }\n");
}

TEST(Run, ASyntaxErrorIsShownWithItsPlace) {
  Folder folder;
  expectFailure(runGlovebox({"run", folder.file("broken.js", "export default {\n  run() { return 1 +; }\n}")}), EXIT_CODE_CODE_ERROR,
                "SyntaxError: Unexpected token ';'\n  at broken.js:2:");
}

TEST(Run, TypeScriptRunsWithItsTypesStripped) {
  Folder folder;
  auto file = folder.file("agent.ts", "import { twice } from './lib';\ninterface Input { value: number }\nenum Unit { None = 'none' }\n"
                          "export default { async myAgent({ value }: Input) { return { doubled: twice(value) as number, unit: Unit.None }; } };\n");
  auto lib = folder.file("lib.ts", "export const twice = (n: number): number => n * 2;");
  expectResult(runGlovebox({"run", file, "--module", "lib.ts=" + lib, "--arg", R"({"value":21})"}), R"({"doubled":42,"unit":"none"})");
  auto page = folder.file("page.tsx", "/** @jsx h */ const h = (tag: string) => tag; export default { run() { return <p/>; } }");
  expectResult(runGlovebox({"run", page}), R"("p")");
}

TEST(Run, WrongTypeScriptIsShownWithItsPlace) {
  Folder folder;
  expectFailure(runGlovebox({"run", folder.file("broken.ts", "export default {\n\trun(): number { return 1 +; }\n}")}), EXIT_CODE_CODE_ERROR,
                "broken.ts:2:28: Unexpected token.\n    \trun(): number { return 1 +; }\n    \t                          ^\n");
  expectFailure(runGlovebox({"run", folder.file("bytes.ts", "let x = '\xff'")}), EXIT_CODE_CODE_ERROR, "'bytes.ts' is not UTF-8");
  expectFailure(runGlovebox({"run", folder.file("old.cts", "")}), EXIT_CODE_CODE_ERROR, "'old.cts' is TypeScript of CommonJS");
}

TEST(Run, TypeScriptThatTakesForEverMeetsALimit) {
  Folder folder;
  std::string text = "let a = ";
  for (int i = 0; i < 60; i++) text += "<x>(";
  expectFailure(runGlovebox({"run", folder.file("endless.ts", text + std::string(60, ')'))}), EXIT_CODE_LIMIT,
                "the types of 'endless.ts' could not be stripped: ");
}

TEST(Run, AnErrorIsShownWithItsStackAndCause) {
  auto end = runModule("export default { run() { throw new TypeError('boom', { cause: new Error('why') }); } }");
  expectFailure(end, EXIT_CODE_CODE_ERROR, "TypeError: boom\n    at Object.run (stdin.js:1:");
  EXPECT_THAT(end.errors, HasSubstr("caused by: Error: why"));
}

TEST(Run, AMissingImportIsNamedWithItsImporter) {
  auto end = runModule("import x from './nowhere.js'; export default { run() { return x; } }");
  expectFailure(end, EXIT_CODE_CODE_ERROR, "No such module \"nowhere.js\".\n  imported from \"stdin.js\"");
}

TEST(Run, APromiseThatNothingCanSettleEndsTheCall) {
  expectFailure(runModule("export default { run() { return new Promise(() => {}); } }"), EXIT_CODE_CODE_ERROR, "(hung)");
}

TEST(Run, AnUnknownMethodIsNamed) {
  expectFailure(runModule("export default { run() {} }", {"--call", "walk"}), EXIT_CODE_CODE_ERROR, "does not implement the method \"walk\"");
}

TEST(Run, AResultThatCannotBeClonedIsADataCloneError) {
  expectFailure(runModule("export default { run() { return { symbol: Symbol('x') }; } }"), EXIT_CODE_CODE_ERROR, "DataCloneError: Symbol(x) could not be cloned.");
}

TEST(Run, AResultThatJsonCannotSayIsExplained) {
  expectFailure(runModule("export default { run() { return 1n; } }"), EXIT_CODE_CODE_ERROR, "BigInt");
}

TEST(Run, AResultOfFortyMebibytesIsRefusedWithItsSize) {
  expectFailure(runModule("export default { run() { return 'x'.repeat(40 << 20); } }"), EXIT_CODE_CODE_ERROR, "limited to 32MiB");
}

TEST(Run, AResultOfThirtyMebibytesArrivesWhole) {
  auto end = runModule("export default { run() { return 'x'.repeat(30 << 20); } }");
  EXPECT_EQ(end.code, EXIT_CODE_OK) << end.errors;
  EXPECT_EQ(end.output.size(), (30u << 20) + 3);
  EXPECT_FALSE(end.leftProcesses);
}

// -- Which method -------------------------------------------------------------------------------------------------------

TEST(Run, WithoutCallSeveralMethodsAreListed) {
  expectFailure(runModule("export default { a() {}, b() {} }"), EXIT_CODE_USAGE, "stdin.js's default export has several methods; name one with --call: a, b");
}

TEST(Run, WithoutADefaultExportTheOthersAreListed) {
  expectFailure(runModule("export const other = {};"), EXIT_CODE_CODE_ERROR, "stdin.js has no default export; it exports: other");
}

TEST(Run, AClassTakesAnyNumberOfArgumentsAndAPathLeadsInside) {
  std::string classes = "import { WorkerEntrypoint } from 'cloudflare:workers';"
                        "export default class extends WorkerEntrypoint { add(a, b) { return a + b; } }"
                        "export class Named extends WorkerEntrypoint { sub(a, b) { return a - b; } }";
  expectResult(runModule(classes, {"--arg", "1", "--arg", "2"}), "3");
  expectResult(runModule(classes, {"--entrypoint", "Named", "--arg", "1", "--arg", "2"}), "-1");
  expectResult(runModule("export default { a: { b: (x) => x } }", {"--call", "a.b", "--arg", "[1]"}), "[1]");
  expectFailure(runModule("export default {}", {"--call", "a..b"}), EXIT_CODE_USAGE, "got 'a..b'");
}

// -- Input --------------------------------------------------------------------------------------------------------------

TEST(Run, AFileThatCannotBeReadIsNamedWithTheReason) {
  Folder folder;
  std::filesystem::create_symlink("loop.js", folder.path("loop.js"));
  expectFailure(runGlovebox({"run", folder.path("none.js")}), EXIT_CODE_NO_INPUT, "none.js': No such file or directory");
  expectFailure(runGlovebox({"run", folder.path("loop.js")}), EXIT_CODE_NO_INPUT, "loop.js': Too many levels of symbolic links");
  expectFailure(runGlovebox({"run", folder.path("")}), EXIT_CODE_NO_INPUT, "there is no project in");
}

TEST(Run, JsonThatIsNoneIsRefusedBeforeAnythingRuns) {
  expectFailure(runModule("", {"--arg", "1", "--arg", "{bad"}), EXIT_CODE_USAGE, "--arg number 2 is not JSON");
  expectFailure(runModule("", {"--env", "{"}), EXIT_CODE_USAGE, "--env is not JSON");
  expectFailure(runModule("", {"--env", "[1]"}), EXIT_CODE_USAGE, "--env expects a JSON object");
}

TEST(Run, EnvAndFurtherModulesArrive) {
  Folder folder;
  folder.file("part.js", "export const part = 7;");
  expectResult(runModule("import { part } from './part.js'; import text from './note.txt';"
                         "export default { run(x, env) { return [part, text, env]; } }",
                         {"--module", "part.js=" + folder.path("part.js"), "--module", "note.txt=text:" + folder.file("note", "hi"), "--env", R"({"K":"v"})"}),
               R"([7,"hi",{"K":"v"}])");
  expectFailure(runModule("", {"--module", "odd=" + folder.path("part.js")}), EXIT_CODE_USAGE, "the type of module 'odd' cannot be told");
}

TEST(Run, WrongWordsAreUsageErrors) {
  expectFailure(runGlovebox({"run"}), EXIT_CODE_USAGE, "FILE is required");
  expectFailure(runGlovebox({}), EXIT_CODE_USAGE, "subcommand is required");
  expectFailure(runModule("", {"--cpu-ms", "soon"}), EXIT_CODE_USAGE, "--cpu-ms: got 'soon', expected a whole number");
  expectFailure(runModule("", {"--wall-ms", "0"}), EXIT_CODE_USAGE, "--wall-ms: got '0', expected a whole number");
  expectFailure(runModule("", {"--profile", "fast"}), EXIT_CODE_USAGE, "got 'fast', expected default, no-wasm or jitless");
  expectFailure(runModule("", {"--allow-missing", "roof"}), EXIT_CODE_USAGE, "there is no layer 'roof'; there are: user-namespace");
}

// -- Limits and profiles ------------------------------------------------------------------------------------------------

TEST(Run, ALoopEndsAtItsCpuLimit) {
  auto end = runModule("export default { run() { while (true); } }", {"--cpu-ms", "100"});
  expectFailure(end, EXIT_CODE_LIMIT, "more than its limit of 100 ms of CPU time");
  EXPECT_THAT(end.errors, HasSubstr("--cpu-ms"));
  expectFailure(runModule("while (true);", {"--cpu-ms", "100"}), EXIT_CODE_LIMIT, "100 ms of CPU time while its modules were evaluated");
}

TEST(Run, WaitingEndsAtItsWallLimit) {
  expectFailure(runModule("export default { run() { return new Promise((r) => setTimeout(r, 1e6)); } }", {"--wall-ms", "100"}), EXIT_CODE_LIMIT,
                "longer than its limit of 100 ms");
}

TEST(Run, AHeapBombEndsAtItsMemoryLimit) {
  Words limit{"--memory-mb", "32"};
  expectFailure(runModule("export default { run() { const a = []; for (;;) a.push(new Array(1000).fill(a.length)); } }", limit), EXIT_CODE_LIMIT, "limit of 32 MiB of memory");
  expectFailure(runModule("export default { run() { const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1)); } }", limit), EXIT_CODE_LIMIT, "limit of 32 MiB of memory");
}

TEST(Run, ProfilesRunTheSameCodeAndOnlyTheDefaultHasWebAssembly) {
  for (std::string profile: {"default", "no-wasm", "jitless"}) {
    Words options{"--profile", profile, "--arg", "20"};
    expectResult(runModule("const f = (n) => n < 2 ? n : f(n - 1) + f(n - 2); export default { f }", options), "6765");
    options.back() = "null";
    expectResult(runModule("export default { f: () => typeof WebAssembly }", options), profile == "default" ? R"("object")" : R"("undefined")");
  }
}

TEST(Run, ASocketNobodyListensOnIsNamedWithTheFix) {
  CommandEnd end = runModule("export default { f: () => 1 }", {"--socket", "/nonexistent/socket"});
  expectFailure(end, EXIT_CODE_UNAVAILABLE, "no supervisor listens on /nonexistent/socket; start one with `glovebox serve");
}

TEST(Run, TheAccountIsTheLastLineOnStandardErrorAndTheResultIsAloneOnStandardOutput) {
  auto lastLine = [](const CommandEnd& end) {
    auto text = end.errors.substr(0, end.errors.find_last_not_of('\n') + 1);
    return text.substr(text.find_last_of('\n') + 1);
  };
  auto end = runModule("export default { f(x) { console.log('said \x1b[2J'); return x; } }", {"--arg", "5", "--account"});
  expectResult(end, "5");
  auto account = parse(lastLine(end));
  EXPECT_STREQ(account["outcome"].GetString(), "ok");
  EXPECT_GT(account["cpuMs"].GetDouble(), 0);
  EXPECT_GT(account["peakMemoryBytes"].GetUint64(), 1u << 20);
  ASSERT_EQ(account["logs"].Size(), 1u);
  EXPECT_STREQ(account["logs"][0]["text"].GetString(), "said \x1b[2J");

  end = runModule("export default { f() { throw new TypeError('no'); } }", {"--account"});
  EXPECT_EQ(end.code, EXIT_CODE_CODE_ERROR);
  EXPECT_EQ(end.output, "");
  account = parse(lastLine(end));
  EXPECT_STREQ(account["outcome"].GetString(), "exception");
  EXPECT_STREQ(account["exceptions"][0]["name"].GetString(), "TypeError");

  end = runModule("export default { f() { for (;;); } }", {"--account", "--cpu-ms", "100"});
  EXPECT_EQ(end.code, EXIT_CODE_LIMIT);
  account = parse(lastLine(end));
  EXPECT_STREQ(account["outcome"].GetString(), "exceededCpu");
  EXPECT_GE(account["cpuMs"].GetDouble(), 100);
}

// -- Daemon -------------------------------------------------------------------------------------------------------------

TEST(Serve, AnswersRunAndStatusAndEndsCleanlyAtSigterm) {
  becomeReaper();
  auto program = std::string(findInstallation().glovebox.cStr());
  DaemonProcess daemon(program, {"--pool", "1", "--cpu-ms", "5000"});
  Words socket{"--socket", daemon.socketPath()};
  auto run = [&](const std::string& text, Words options) {
    options.insert(options.end(), socket.begin(), socket.end());
    return runModule(text, options);
  };
  auto answered = run("export default { f: (x) => x }", {"--arg", "5"});
  EXPECT_EQ(answered.output, "5\n") << describe(answered);
  EXPECT_EQ(run("export default { f() { while (true); } }", {"--cpu-ms", "100"}).code, EXIT_CODE_LIMIT);
  auto refused = run("", {"--profile", "jitless"});
  EXPECT_EQ(refused.code, EXIT_CODE_USAGE) << describe(refused);

  auto status = runGlovebox({"status", "--json", "--socket", daemon.socketPath()});
  auto document = parse(status.output);
  EXPECT_EQ(document["endings"]["exceededCpu"].GetUint64(), 1u);
  EXPECT_EQ(document["loads"].GetUint64(), 2u);
  EXPECT_EQ(document["limits"]["cpuMs"].GetUint64(), 5000u);
  for (auto& layer: document["layers"].GetArray()) {
    EXPECT_TRUE(layer["inForce"].GetBool() || !layer["required"].GetBool()) << layer["name"].GetString();
  }
  auto text = runGlovebox({"status", "--socket", daemon.socketPath()});
  EXPECT_EQ(text.code, EXIT_CODE_OK);
  EXPECT_THAT(text.output, testing::ContainsRegex("exceededCpu +1\n"));

  EXPECT_TRUE(std::filesystem::exists(daemon.socketPath()));
  auto taken = runGlovebox({"serve", "--socket", daemon.socketPath()});
  EXPECT_EQ(taken.code, EXIT_CODE_UNAVAILABLE) << describe(taken);
  EXPECT_THAT(taken.errors, HasSubstr("cannot listen on"));

  EXPECT_EQ(daemon.end(SIGTERM), 0) << "an exit status of 0 was expected";
  EXPECT_FALSE(std::filesystem::exists(daemon.socketPath()));
  EXPECT_FALSE(hasDescendants());
  EXPECT_EQ(runGlovebox({"status", "--socket", daemon.socketPath()}).code, EXIT_CODE_UNAVAILABLE);
}

TEST(Serve, ReadsItsOptionsFromAFileAndTheCommandLineCountsMore) {
  Folder folder;
  auto config = folder.file("glovebox.toml", "# the policy of this machine\ncpu-ms = 60\nwall-ms = 4000\nsub-requests = 7\nworkers = 9\nprofile = \"jitless\"\n");
  DaemonProcess daemon(findInstallation().glovebox.cStr(), {"--config", config, "--wall-ms", "3000"});
  auto status = runGlovebox({"status", "--json", "--socket", daemon.socketPath()});
  for (auto part: {"\"profile\":\"jitless\"", "\"cpuMs\":60", "\"wallMs\":3000", "\"subRequests\":7", "\"workers\":9"}) {
    EXPECT_THAT(status.output, HasSubstr(part)) << describe(status);
  }
  auto spun = runModule("export default { spin() { for (;;); } }", {"--socket", daemon.socketPath(), "--cpu-ms", "5000"});
  EXPECT_EQ(spun.code, EXIT_CODE_LIMIT) << describe(spun);
  EXPECT_THAT(spun.errors, HasSubstr("limit of 60 ms of CPU time"));
}

TEST(Serve, WhatIsWrongWithItsFileIsSaid) {
  Folder folder;
  auto serve = [&](const std::string& text) {
    return runGlovebox({"serve", "--socket", folder.path("socket"), "--config", folder.file("glovebox.toml", text)});
  };
  expectFailure(serve("cpu-millis = 5"), EXIT_CODE_USAGE, "cpu-millis is no option of `glovebox serve`");
  expectFailure(serve("cpu-ms = \"many\""), EXIT_CODE_USAGE, "cpu-ms: --cpu-ms: got 'many', expected a whole number");
  expectFailure(serve("cpu-ms = 0"), EXIT_CODE_USAGE, "got '0', expected a whole number");
  expectFailure(serve("[limits]\ncpu-ms = 5"), EXIT_CODE_USAGE, "has a section [limits]; options stand without one");
  expectFailure(serve("config = \"other.toml\""), EXIT_CODE_USAGE, "config is no option");
  expectFailure(runGlovebox({"serve", "--config", folder.path("none.toml")}), EXIT_CODE_NO_INPUT, "none.toml' cannot be opened: No such file");
  expectFailure(runGlovebox({"serve"}), EXIT_CODE_USAGE, "needs --socket PATH");
}

// `glovebox status --watch` as a process whose output is read as it comes.
class Watching {
 public:
  explicit Watching(const Words& words) {
    int out[2];
    if (pipe(out) != 0) throw std::runtime_error("no pipe");
    auto program = std::string(findInstallation().glovebox.cStr());
    pid_ = fork();
    if (pid_ == 0) {
      dup2(out[1], STDOUT_FILENO);
      dup2(out[1], STDERR_FILENO);
      std::vector<const char*> argv{program.c_str()};
      for (auto& word: words) argv.push_back(word.c_str());
      argv.push_back(nullptr);
      execv(program.c_str(), const_cast<char**>(argv.data()));
      _exit(127);
    }
    close(out[1]);
    in_ = out[0];
  }
  ~Watching() {
    if (pid_ > 0) end(SIGKILL);
    close(in_);
  }

  // Reads until the text has stood there so often, or it ends.
  bool sees(const std::string& text, int times) {
    for (;;) {
      int seen = 0;
      for (size_t at = 0; (at = output.find(text, at)) != std::string::npos; at++) seen++;
      if (seen >= times) return true;
      char bytes[4096];
      ssize_t length = read(in_, bytes, sizeof(bytes));
      if (length <= 0) return false;
      output.append(bytes, size_t(length));
    }
  }
  // Its exit code; 0: no signal.
  int end(int signal) {
    if (signal != 0) kill(pid_, signal);
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string output;

 private:
  pid_t pid_ = -1;
  int in_ = -1;
};

TEST(Status, IsWatchedUntilCtrlCOrTheEndOfTheDaemon) {
  DaemonProcess daemon(findInstallation().glovebox.cStr(), {"--pool", "1"});
  Words socket{"--socket", daemon.socketPath()};
  runModule("export default { watched: (x) => x }", {"--arg", "5", "--socket", daemon.socketPath()});
  Words words{"status", "--watch", "--interval", "30", "--socket", daemon.socketPath()};
  {
    Watching watching(words);
    EXPECT_TRUE(watching.sees(" workers, ", 2)) << watching.output;
    EXPECT_THAT(watching.output, HasSubstr("recent runs\n"));
    EXPECT_THAT(watching.output, HasSubstr("watched\n"));
    EXPECT_EQ(watching.output.find('\x1b'), std::string::npos) << "nothing is redrawn where there is no terminal";
    EXPECT_EQ(watching.end(SIGINT), EXIT_CODE_OK) << watching.output;
  }
  words.push_back("--json");
  Watching watching(words);
  EXPECT_TRUE(watching.sees("{\"profile\"", 2)) << watching.output;
  EXPECT_EQ(daemon.end(SIGTERM), 0);
  EXPECT_TRUE(watching.sees(" is gone", 1)) << watching.output;
  EXPECT_EQ(watching.end(0), EXIT_CODE_UNAVAILABLE);
  EXPECT_EQ(runGlovebox({"status", "--interval", "30", "--socket", "/nonexistent"}).code, EXIT_CODE_USAGE);
}

TEST(Serve, LeavesNobodyWhenItIsKilled) {
  becomeReaper();
  DaemonProcess daemon(findInstallation().glovebox.cStr(), {"--pool", "2"});
  daemon.end(SIGKILL);
  awaitNoDescendants();  // or the test runs into its timeout
  EXPECT_FALSE(hasDescendants());
}

// -- Policy and audit ---------------------------------------------------------------------------------------------------

TEST(Policy, IsPrintedForPeopleAndForMachines) {
  auto text = runGlovebox({"policy"});
  EXPECT_EQ(text.code, EXIT_CODE_OK);
  EXPECT_THAT(text.output, HasSubstr("Compiled filter ("));
  EXPECT_THAT(text.output, HasSubstr("system calls of a sealed gateway, which speaks HTTP; any other call kills it\n"));
  EXPECT_THAT(text.output, HasSubstr("takes connections on the sockets that its parent had bound"));
  for (std::string profile: {"default", "no-wasm", "jitless"}) {
    auto json = runGlovebox({"policy", "--json", "--profile", profile});
    auto document = parse(json.output);
    EXPECT_EQ(document["profile"].GetString(), profile);
    EXPECT_GT(document["rules"].Size(), 10u);
    EXPECT_GT(document["filter"].Size(), 20u);
    for (auto& rule: document["rules"].GetArray()) EXPECT_GT(rule["reason"].GetStringLength(), 10u);
    auto& gateway = document["gateway"];
    std::set<std::string> calls;
    for (auto& rule: gateway["rules"].GetArray()) calls.insert(rule["call"].GetString());
    EXPECT_TRUE(calls.contains("accept4"));
    EXPECT_FALSE(calls.contains("connect"));
    EXPECT_GT(gateway["layers"].Size(), 3u);
  }
}

TEST(Audit, NoAttemptSucceedsAndWhatIsGrantedIsExplained) {
  for (std::string profile: {"default", "no-wasm", "jitless"}) {
    auto end = runGlovebox({"audit", "--json", "--profile", profile});
    EXPECT_EQ(end.code, EXIT_CODE_OK) << end.errors;
    EXPECT_FALSE(end.leftProcesses);
    auto document = parse(end.output);
    ASSERT_TRUE(document.IsArray());
    EXPECT_GE(document.Size(), 40u);
    size_t metOutside = 0;
    for (auto& attempt: document.GetArray()) {
      std::string name = attempt["name"].GetString(), inside = attempt["inside"].GetString();
      metOutside += std::string(attempt["outside"].GetString()) == "met";
      EXPECT_TRUE(inside == "stopped" || inside == "granted" || inside == "reached") << name << " is " << inside;
      EXPECT_EQ(attempt["documented"].IsNull(), inside == "stopped") << name;
      EXPECT_EQ(attempt["stoppedBy"].IsNull(), inside != "stopped") << name;
      if (name == "protect-writable-executable") EXPECT_EQ(inside, profile == "default" ? "granted" : "stopped");
    }
    EXPECT_GT(metOutside, 60u);
  }
}

TEST(Audit, TheTextEndsWithASummary) {
  auto end = runGlovebox({"audit"});
  EXPECT_EQ(end.code, EXIT_CODE_OK) << end.errors;
  EXPECT_THAT(end.output, HasSubstr("Granted on purpose:\n"));
  EXPECT_TRUE(end.output.ends_with(", 0 succeeded.\n")) << end.output;
}

}  // namespace
}  // namespace glovebox::test
