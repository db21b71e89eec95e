#pragma once
// The modules of one worker: names, resolution, and the making of V8 modules out of the seven kinds of source. A module is
// compiled when something imports it. All of it is hostile text; V8 parses it, inside the jail.
//
// Resolution is Worker Loader's: "./" and "../" against the importer's name, a leading "/" is the root, anything else is
// the module of exactly that name, or one of the runtime's: cloudflare:workers, and Node.js's for who asked for those. There is
// no file system and no network to look in.

#include <v8.h>

#include <string>
#include <string_view>
#include <unordered_map>

#include "policy/profile.h"
#include "worker/worker-source.h"

namespace glovebox {

class Engine;

class Modules {
 public:
  // One per isolate. `engine` outlives it.
  Modules(Engine& engine, policy::Profile profile);
  Modules(const Modules&) = delete;
  Modules& operator=(const Modules&) = delete;

  void add(std::vector<ModuleSource> sources);

  // Compiles, links and evaluates the main module and all it imports. Empty: an exception is pending in the caller's
  // TryCatch, or execution was terminated.
  v8::MaybeLocal<v8::Promise> evaluate(const std::string& mainModule);

  // Compiles a module as evaluate() would, and gives V8's code cache of it; empty if it is no JavaScript or an exception is
  // pending. Nothing runs.
  std::string makeCodeCache(ModuleSource& source);

  // What the sources' caches refer to is about to go: copies those that a later import may need.
  void keepCaches();

  // After evaluate().
  v8::Local<v8::Object> mainNamespace(const std::string& mainModule);

  // "a/b.js" and "../c.js" give "c.js".
  static std::string resolve(std::string_view specifier, std::string_view importer);

 private:
  struct Entry {
    ModuleSource source;
    v8::Global<v8::Module> module;
    v8::Global<v8::Value> value;      // what a module that is not JavaScript exports; the `module` object of a cjs one
    bool evaluated = false;           // cjs: its code has begun to run
    bool builtin = false;             // the runtime's: `value` is what it exports
  };

  static Modules& of(v8::Isolate* isolate);
  static v8::MaybeLocal<v8::Module> onImport(v8::Local<v8::Context>, v8::Local<v8::String> specifier,
                                             v8::Local<v8::FixedArray> attributes, v8::Local<v8::Module> importer);
  static v8::MaybeLocal<v8::Object> onImportSource(v8::Local<v8::Context>, v8::Local<v8::String> specifier,
                                                   v8::Local<v8::FixedArray> attributes, v8::Local<v8::Module> importer);
  static v8::MaybeLocal<v8::Promise> onDynamicImport(v8::Local<v8::Context>, v8::Local<v8::Data>,
                                                     v8::Local<v8::Value> importer, v8::Local<v8::String> specifier,
                                                     v8::ModuleImportPhase phase, v8::Local<v8::FixedArray>);
  static v8::MaybeLocal<v8::Value> evaluateSynthetic(v8::Local<v8::Context>, v8::Local<v8::Module> module);
  static void require(const v8::FunctionCallbackInfo<v8::Value>& info);

  Entry* find(const std::string& name);
  Entry* findBuiltin(const std::string& name);
  Entry* findOrThrow(v8::Local<v8::String> specifier, v8::Local<v8::Value> importer);
  v8::MaybeLocal<v8::Module> compile(Entry& entry);
  v8::MaybeLocal<v8::Module> compileModule(ModuleSource& source, size_t eagerBytesMax);
  v8::MaybeLocal<v8::Function> compileCommonJs(ModuleSource& source);
  v8::MaybeLocal<v8::String> takeText(ModuleSource& source);
  v8::MaybeLocal<v8::Module> makeBuiltin(Entry& entry);
  v8::MaybeLocal<v8::Value> valueOf(Entry& entry);
  v8::MaybeLocal<v8::Value> runCommonJs(Entry& entry);
  v8::MaybeLocal<v8::Value> requireModule(Entry& entry);
  v8::MaybeLocal<v8::Promise> importLater(Entry& entry, v8::ModuleImportPhase phase);
  v8::MaybeLocal<v8::Promise> importNow(Entry& entry, v8::ModuleImportPhase phase);
  v8::Local<v8::String> string(std::string_view text);

  Engine& engine_;
  policy::Profile profile_;
  v8::Isolate* isolate_;
  std::unordered_map<std::string, Entry> entries_;
  std::unordered_multimap<int, Entry*> byHash_;   // synthetic modules, by V8's identity hash
};

}  // namespace glovebox
