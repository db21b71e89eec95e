// Projects from end to end: `glovebox run DIR` and `glovebox types`, with the real jail behind them.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "tests/command.h"
#include "tools/cli/exit-codes.h"

namespace glovebox::test {
namespace {

namespace fs = std::filesystem;
using namespace cli;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class Project {
 public:
  // Its folder is made of `name`.
  explicit Project(const std::string& name = "project") {
    char path[] = "/tmp/glovebox-project-XXXXXX";
    if (mkdtemp(path) == nullptr) throw std::runtime_error("cannot make a folder in /tmp");
    top_ = path;
    name_ = name;
    fs::create_directories(top_ / name);
  }
  ~Project() { fs::remove_all(top_); }
  Project(const Project&) = delete;

  std::string folder() const { return top_ / name_; }
  Project& file(const std::string& name, const std::string& content) {
    fs::create_directories((fs::path(folder()) / name).parent_path());
    std::ofstream(fs::path(folder()) / name, std::ios::binary) << content;
    return *this;
  }
  Project& config(const std::string& more = "", const std::string& main = "src/index.ts") {
    return file("wrangler.jsonc", "{ \"name\": \"" + name_ + "\", \"main\": \"" + main + "\", \"compatibility_date\": \"2026-04-15\",\n" + more + "}");
  }
  CommandEnd run(Words words = {"--call", "run"}) const {
    words.insert(words.begin(), {"run", folder()});
    return runGlovebox(words);
  }

 private:
  fs::path top_;
  std::string name_;
};

void expectResult(const CommandEnd& end, const std::string& json) {
  EXPECT_EQ(end.code, EXIT_CODE_OK) << describe(end);
  EXPECT_EQ(end.output, json + "\n") << describe(end);
  EXPECT_FALSE(end.leftProcesses);
}

void expectFailure(const CommandEnd& end, ExitCode code, const std::string& words) {
  EXPECT_EQ(end.code, code) << describe(end);
  EXPECT_EQ(end.output, "");
  EXPECT_THAT(end.errors, HasSubstr(words));
  EXPECT_FALSE(end.leftProcesses);
}

TEST(Project, TheExampleRunsItsAgentsInWorkersOfTheirOwn) {
  auto example = std::string(getenv("GLOVEBOX_EXAMPLES")) + "/agent-sandbox";
  auto doubled = runGlovebox({"run", example, "--entrypoint", "Sandbox", "--call", "double", "--arg", "21"});
  EXPECT_THAT(doubled.output, testing::StartsWith("{\"doubled\":42,\"ts\":")) << describe(doubled);
  auto chat = runGlovebox({"run", example, "--entrypoint", "Sandbox", "--call", "chat", "--arg", "\"hello\""});
  rapidjson::Document answer;
  answer.Parse(chat.output.c_str());
  ASSERT_TRUE(answer.IsObject()) << describe(chat);
  EXPECT_STREQ(answer["message"].GetString(), "hello");
  EXPECT_STREQ(answer["room"].GetString(), "lobby");
  EXPECT_EQ(answer["id"].GetStringLength(), 36u);
  EXPECT_FALSE(chat.leftProcesses);
}

TEST(Project, FilesBecomeTheModulesThatTheirRulesSay) {
  Project project;
  project.config("\"rules\": [{ \"type\": \"Text\", \"globs\": [\"**/*.md\"], \"fallthrough\": true }]")
      .file("src/index.ts", "import { add } from './math'; import note from './note.md'; import page from './page.html'; import data from './data.json'; import bytes from './raw.bin';\n"
            "import old from './old.cjs'; import { tag } from './view';\n"
            "export default { run() { return [add(1, 2), note, page, data.x, bytes.byteLength, old.y, tag, import.meta.url ?? null].slice(0, 7); } };")
      .file("src/math/index.ts", "export * from './add.js';").file("src/math/add.ts", "export const add = (a: number, b: number): number => a + b;")
      .file("src/note.md", "# note").file("src/page.html", "<p>").file("src/data.json", "{\"x\":1}").file("src/raw.bin", "four").file("src/old.cjs", "exports.y = 5;")
      .file("src/view.tsx", "/** @jsx h */ const h = (name: string) => name; export const tag = <b/>;")
      // Nobody imports it: what it lacks does not matter.
      .file("src/index.test.ts", "import { test } from 'vitest';");
  expectResult(project.run(), R"([3,"# note","<p>",1,4,5,"b"])");
}

TEST(Project, EnvHasVariablesAndALoaderAndNothingElse) {
  Project project;
  project.config("\"vars\": { \"TEXT\": \"a\", \"NUMBER\": 1.5, \"NESTED\": { \"list\": [1, true, null] } }, \"worker_loaders\": [{ \"binding\": \"LOADER\" }, { \"binding\": \"OTHER\" }]", "index.js")
      .file("index.js", "export default { async run(_, env) { const { LOADER, OTHER, ...vars } = env;\n"
            "  const code = (text) => () => ({ compatibilityDate: '2026-03-01', mainModule: 'a.js', modules: { 'a.js': `export default { run() { return ${text} } }` } });\n"
            "  return [vars, LOADER.constructor.name, await LOADER.get('same', code(1)).getEntrypoint().run(0), await OTHER.get('same', code(2)).getEntrypoint().run(0)]; } };");
  expectResult(project.run(), R"([{"TEXT":"a","NUMBER":1.5,"NESTED":{"list":[1,true,null]}},"WorkerLoader",1,2])");
}

TEST(Project, LimitsOfTheConfigurationAreThoseOfTheWorker) {
  Project project;
  project.config("\"limits\": { \"cpu_ms\": 50 }", "index.js").file("index.js", "export default { run() { for (;;); } };");
  expectFailure(project.run(), EXIT_CODE_LIMIT, "50 ms of CPU time");
  expectFailure(project.run({"--call", "run", "--cpu-ms", "120"}), EXIT_CODE_LIMIT, "120 ms of CPU time");
  // More than the policy has when nobody asks.
  project.config("\"limits\": { \"memory_mb\": 256 }", "index.js").file("index.js", "export default { run() { return new ArrayBuffer(180 << 20).byteLength >> 20; } };");
  expectResult(project.run(), "180");
}

TEST(Project, AServiceIsAnEntrypointOfAnotherProject) {
  Project auth("auth"), app("app");
  auth.config("\"vars\": { \"WHO\": \"auth\" }")
      .file("src/index.ts", "import { WorkerEntrypoint } from 'cloudflare:workers';\n"
            "export default class extends WorkerEntrypoint<any> { check(name: string) { return `${this.env.WHO} knows ${name}`; } }\n"
            "export class Admin extends WorkerEntrypoint<{}, { level: number }> { grant(name: string) { return `granted ${name} ${this.ctx.props.level}`; } }");
  app.config("\"services\": [{ \"binding\": \"AUTH\", \"service\": \"auth\" }, { \"binding\": \"ADMIN\", \"service\": \"auth\", \"entrypoint\": \"Admin\", \"props\": { \"level\": 3 } }]")
      .file("src/index.ts", "export default { async run(name: string, env: any) { return [await env.AUTH.check(name), await env.ADMIN.grant(name)]; } };");
  expectResult(app.run({"--with", auth.folder(), "--call", "run", "--arg", "\"Ada\""}), R"(["auth knows Ada","granted Ada 3"])");
  expectFailure(app.run(), EXIT_CODE_USAGE, "wrangler.jsonc:2: services[0]: there is no project of the name 'auth' among those given: 'app'. Give its folder, too: --with DIR");
  auth.config("\"services\": [{ \"binding\": \"APP\", \"service\": \"app\" }]");
  expectFailure(app.run({"--with", auth.folder(), "--call", "run"}), EXIT_CODE_USAGE, "services in a circle are not supported: 'app', which needs 'auth', which needs 'app'.");
}

TEST(Project, WhatIsWrongWithAnImportIsShownWithItsPlace) {
  Project project;
  project.config().file("src/lib/app.ts", "type App = unknown;\nimport { Hono } from 'hono';\nexport const app: App = new Hono();").file("src/index.ts", "export { app as default } from './lib/app';");
  expectFailure(project.run(), EXIT_CODE_CODE_ERROR,
                "lib/app.ts:2:22: \"hono\" is a package, and the project's folder has no node_modules. Install what it needs: npm install");
  project.file("src/lib/app.ts", "import '../../outside.ts';");
  expectFailure(project.run(), EXIT_CODE_CODE_ERROR, "lib/app.ts:1:8: \"../../outside.ts\" leads to no module of the project");
  project.file("src/lib/app.ts", "export const app = );");
  expectFailure(project.run(), EXIT_CODE_CODE_ERROR, "lib/app.ts:1:20: Unexpected token.\n    export const app = );\n                       ^");
}

TEST(Project, PackagesOfItsFolderAreBundledWithIt) {
  Project project;
  project.config("\"rules\": [{ \"type\": \"Text\", \"globs\": [\"**/*.note\"], \"fallthrough\": true }]")
      .file("package.json", "{ \"dependencies\": { \"outer\": \"1\", \"@scope/inner\": \"1\" } }")
      .file("src/index.ts", "import { outer } from 'outer/sub'; import scoped from '@scope/inner'; import note from './a.note'; import raw from './raw.bin'; import module from './answer.wasm';\n"
            "enum Level { Low, High }\nexport default { run(): unknown { return [outer(), scoped, note, raw.byteLength, new WebAssembly.Instance(module).exports.f(), Level.High]; } };")
      .file("src/a.note", "noted").file("src/raw.bin", std::string("\xff\x00\x01", 3))
      .file("src/answer.wasm", std::string("\0asm\1\0\0\0" "\1\5\1\x60\0\1\x7f" "\3\2\1\0" "\7\5\1\1f\0\0" "\n\6\1\4\0\x41\x2a\x0b", 34))
      .file("node_modules/outer/package.json", "{ \"exports\": { \"./sub\": { \"node\": \"./wrong.js\", \"workerd\": \"./lib/sub.js\" } } }")
      // Its own, another than the one on top.
      .file("node_modules/outer/lib/sub.js", "import inner from '@scope/inner'; let extra = 'none'; try { extra = require('extra'); } catch {} export const outer = () => ['outer', inner, extra];")
      .file("node_modules/outer/node_modules/@scope/inner/index.js", "module.exports = 'nested';")
      .file("node_modules/extra/index.js", "module.exports = 'extra';")
      .file("node_modules/@scope/inner/index.js", "module.exports = 'on top';")
      .file("node_modules/unused/index.js", "this is no JavaScript (");
  expectResult(project.run(), R"([["outer","nested","extra"],"on top","noted",3,42,1])");
  project.file("node_modules/outer/lib/sub.js", "export const outer = () => );");
  expectFailure(project.run(), EXIT_CODE_CODE_ERROR, "node_modules/outer/lib/sub.js:1:28: Unexpected \")\"\n    export const outer = () => );\n                               ^");
  project.file("src/index.ts", "import '@scope/inner';\nimport 'missing';");
  expectFailure(project.run(), EXIT_CODE_CODE_ERROR, "src/index.ts:2:8: Could not resolve \"missing\": the package \"missing\" is in no node_modules folder of the project. Install it there: npm install missing");
}

TEST(Project, PackagesAsPnpmLaysThemAreThereOnceHoweverManyLinksLeadToThem) {
  Project project;
  project.config().file("src/index.ts", "import { count } from 'one'; import { also } from 'two'; export default { run() { count(); also(); return count(); } };")
      .file("node_modules/.pnpm/one@1.0.0/node_modules/one/index.js", "export { count } from 'shared';")
      .file("node_modules/.pnpm/two@1.0.0/node_modules/two/index.js", "export { count as also } from 'shared';")
      .file("node_modules/.pnpm/shared@1.0.0/node_modules/shared/index.js", "let n = 0; export const count = () => ++n;");
  auto link = [&](const std::string& name, const std::string& target) { fs::create_directory_symlink(target, fs::path(project.folder()) / "node_modules" / name); };
  link("one", ".pnpm/one@1.0.0/node_modules/one");
  link("two", ".pnpm/two@1.0.0/node_modules/two");
  for (auto name: {"one", "two"}) link(std::string(".pnpm/") + name + "@1.0.0/node_modules/shared", "../../shared@1.0.0/node_modules/shared");
  expectResult(project.run(), "3");
}

TEST(Project, WhatIsWrongWithTheConfigurationIsShownBeforeAnythingRuns) {
  Project project;
  expectFailure(project.run(), EXIT_CODE_NO_INPUT, "there is no project in '" + project.folder() + "': expected wrangler.jsonc, wrangler.json or wrangler.toml in it.");
  project.config("\"d1_databases\": [{ \"binding\": \"DB\" }]");
  expectFailure(project.run(), EXIT_CODE_USAGE, "wrangler.jsonc:2: d1_databases: Glovebox has no bindings of this kind. Supported are: worker_loaders, vars and services.");
  project.config();
  expectFailure(project.run(), EXIT_CODE_NO_INPUT, "main: there is no file");
  project.file("src/index.ts", "");
  expectFailure(project.run({}), EXIT_CODE_USAGE, "which method of the project is to be called? Name it with --call");
  expectFailure(project.run({"--call", "run", "--env", "{}"}), EXIT_CODE_USAGE, "--env is for a single file");
  expectFailure(runGlovebox({"run", project.folder() + "/src/index.ts", "--with", project.folder()}), EXIT_CODE_USAGE, "--with is for a project");
}

TEST(Project, WarningsDoNotStopIt) {
  Project project;
  project.config("\"observability\": { \"enabled\": true }, \"colour\": 1", "index.js").file("index.js", "export default { run() { return 1; } };");
  auto end = project.run();
  expectResult(end, "1");
  EXPECT_THAT(end.errors, HasSubstr("glovebox: warning: " + project.folder() + "/wrangler.jsonc:2: observability: has no effect here\n"));
  EXPECT_THAT(end.errors, HasSubstr("wrangler.jsonc:2: colour: unknown, and ignored\n"));
}

TEST(Project, TypesAreWrittenBesideTheConfigurationAndNeverOverAPersonsFile) {
  Project project;
  project.config("\"worker_loaders\": [{ \"binding\": \"LOADER\" }], \"vars\": { \"MODE\": \"fast\" }");
  auto path = project.folder() + "/worker-configuration.d.ts";
  for (int twice = 0; twice < 2; twice++) {
    auto end = runGlovebox({"types", project.folder()});
    EXPECT_EQ(end.code, EXIT_CODE_OK) << describe(end);
    EXPECT_EQ(end.output, "Wrote " + path + "\n");
  }
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_THAT(text, HasSubstr("    LOADER: WorkerLoader;\n    MODE: \"fast\";\n"));
  project.file("worker-configuration.d.ts", "interface Env { MINE: 1 }\n");
  expectFailure(runGlovebox({"types", project.folder()}), EXIT_CODE_IO, "is there already and was not written by a program");
}

// -- Stacks --------------------------------------------------------------------------------------------------------------------------

// "LINE:COLUMN" of the words in the text.
std::string placeOf(const std::string& text, const std::string& words) {
  auto at = text.find(words);
  EXPECT_NE(at, std::string::npos) << words;
  auto before = text.substr(0, at);
  return std::to_string(std::count(before.begin(), before.end(), '\n') + 1) + ":" + std::to_string(before.size() - (before.rfind('\n') + 1) + 1);
}

TEST(Project, StacksNameFilesLinesAndColumnsOfTheSource) {
  Project project;
  const std::string index = "import { deep } from './lib/deep';\ninterface A { a: number }\nexport default {\n"
            "  async run(input: { v: number }, env: unknown): Promise<number> { const a: number = 1; console.error(new Error('logged')); await null; return deep(input as any as A); } };";
  const std::string deep = "export const deep = (a: { a: number } | undefined): number => { const b: unknown = 1; throw new RangeError('deep'); };";
  project.config().file("src/index.ts", index).file("src/lib/deep.ts", deep);
  auto end = project.run();
  EXPECT_EQ(end.code, EXIT_CODE_CODE_ERROR) << describe(end);
  EXPECT_THAT(end.errors, HasSubstr("Error: logged\n    at Object.run (src/index.ts:" + placeOf(index, "new Error") + ")\n"));
  EXPECT_THAT(end.errors, HasSubstr("RangeError: deep\n    at deep (src/lib/deep.ts:" + placeOf(deep, "new RangeError") + ")\n    at Object.run (src/index.ts:" + placeOf(index, "deep(input") + ")\n"));
  // What nobody catches, in the log and in the account.
  const std::string late = "export default { run(_: unknown, env: unknown, ctx: any) { ctx.waitUntil((async (): Promise<void> => { await null; throw new TypeError('late'); })()); return 1; } };";
  project.file("src/index.ts", late);
  auto later = project.run({"--call", "run", "--account"});
  EXPECT_EQ(later.code, EXIT_CODE_OK) << describe(later);
  EXPECT_THAT(later.errors, HasSubstr(R"("stack":"TypeError: late\n    at src/index.ts:)" + placeOf(late, "new TypeError") + "\""));
  EXPECT_THAT(later.errors, HasSubstr(R"("text":"waitUntil: TypeError: late\n    at src/index.ts:)" + placeOf(late, "new TypeError") + "\""));
  // A worker that does not start.
  const std::string top = "const a: number = 1;\nconst b: string = 2 as any; throw new Error('top');\nexport default { run() {} };";
  project.file("src/index.ts", top);
  EXPECT_THAT(project.run().errors, HasSubstr("at src/index.ts:" + placeOf(top, "new Error") + "\n"));
}

TEST(Project, StacksOfABundleNameTheFilesOfItsPackages) {
  Project project;
  const std::string index = "import { boom } from 'boom';\ntype N = number;\nexport default { async run(a: N, b: N): Promise<unknown> { await null; return boom(a as any); } };";
  project.config()
      .file("src/index.ts", index)
      .file("package.json", R"({"dependencies":{"boom":"1.0.0"}})")
      .file("node_modules/boom/package.json", R"({"name":"boom","version":"1.0.0","type":"module","exports":"./lib/main.js"})")
      .file("node_modules/boom/lib/main.js", "// first\n\nexport function boom(x) {\n  if (x !== 1) throw new Error('from a package');\n}\n");
  auto end = project.run();
  EXPECT_EQ(end.code, EXIT_CODE_CODE_ERROR) << describe(end);
  EXPECT_THAT(end.errors, HasSubstr("Error: from a package\n    at boom (node_modules/boom/lib/main.js:4:22)\n    at Object.run (src/index.ts:" + placeOf(index, "boom(a") + ")\n"));
}

TEST(Project, AChildsStackIsShownAsItIs) {
  Project project;
  project.config("\"worker_loaders\": [{ \"binding\": \"LOADER\" }]")
      .file("src/index.ts", "export default { async run(_: unknown, env: any): Promise<unknown> {\n"
            "  const code = { compatibilityDate: '2026-03-01', mainModule: 'index.ts', modules: { 'index.ts': { js: 'export default { run() { console.error(new Error(`child`)); } }' } } };\n"
            "  return await env.LOADER.load(code).getEntrypoint().run(0); } };");
  auto end = project.run();
  EXPECT_EQ(end.code, EXIT_CODE_OK) << describe(end);
  EXPECT_THAT(end.errors, HasSubstr("Error: child\n    at Object.run (index.ts:1:40)\n"));
}

TEST(Project, MapsThatComeWithAModuleAreHonouredAndBrokenOnesChangeNothing) {
  const std::string code = "export default { run() { throw new Error('mapped'); } };\n";
  const std::string map = R"({"version":3,"sources":["../src/written.ts"],"names":[],"mappings":"AAGQ"})";
  Project project;
  auto run = [&](const std::string& text, const std::string& beside) {
    project.file("dist/agent.js", text).file("dist/agent.js.map", beside);
    auto end = runGlovebox({"run", project.folder() + "/dist/agent.js", "--call", "run"});
    EXPECT_EQ(end.code, EXIT_CODE_CODE_ERROR) << describe(end);
    EXPECT_FALSE(end.leftProcesses);
    return end.errors;
  };
  // One segment, for all of the line: line 4, column 9.
  EXPECT_THAT(run(code, map), HasSubstr("Error: mapped\n    at Object.run (" + project.folder() + "/src/written.ts:4:9)\n"));
  EXPECT_THAT(run(code + "//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbIi4uL3NyYy93cml0dGVuLnRzIl0sIm5hbWVzIjpbXSwibWFwcGluZ3MiOiJBQUdRIn0=\n", ""),
              HasSubstr("at Object.run (" + project.folder() + "/src/written.ts:4:9)\n"));
  // More than the worker that reads it may use.
  std::string nested(200'000, '['), many = "A";
  for (int i = 0; i < 7'500'000; i++) many += ",A";
  for (auto& broken: {std::string("no JSON"), std::string("null"), std::string("{}"), nested, std::string(R"({"version":3,"sources":[null],"mappings":"AAAA"})"),
                      std::string(R"({"version":3,"sources":["a\nfake: GET / 200"],"mappings":"AAAA"})"),
                      R"({"version":3,"sources":["a"],"mappings":")" + many + R"("})", std::string(R"({"version":3,"sections":[{"offset":{"line":0,"column":0},"map":{"version":3,"sections":[]}}]})")}) {
    EXPECT_THAT(run(code, broken), HasSubstr("Error: mapped\n    at Object.run (agent.js:1:32)\n")) << broken.substr(0, 80);
  }
}

}  // namespace
}  // namespace glovebox::test
