#include "worker/modules.h"

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "worker/engine/engine.h"
#include "worker/engine/native.h"
#include "worker/module-text.h"

namespace glovebox {

namespace {

// The runtime's own modules, each made from what it exports as the hook of that name.
struct Builtin { const char* name; const char* hook; };
constexpr Builtin BUILTINS[] = {{"cloudflare:workers", "workersModule"}, {"cloudflare:sockets", "socketsModule"}};

// Null: not of these, but of Node.js.
const char* hookOf(std::string_view name) {
  for (auto& builtin : BUILTINS) if (name == builtin.name) return builtin.hook;
  return nullptr;
}

// What an agent wrote for one call is run, not kept: its functions are compiled where they are parsed. A bundle's are not, most are
// never called.
constexpr size_t EAGER_COMPILE_BYTES_MAX = 8 * 1024;

// For a code cache all functions are compiled, by a process that nobody waits for: a web framework of 90 kB then answers its first
// request a millisecond sooner (4.3 ms instead of 5.4), because most of what it runs is run once. In a bundle that calls little of itself
// to read them all costs 0.1 ms at 64 kB, 0.4 at 128 and 0.8 at 256.
constexpr size_t EAGER_CACHE_BYTES_MAX = 128 * 1024;

Modules* theModules = nullptr;   // V8's import callbacks carry no data

std::string utf8(v8::Isolate* isolate, v8::Local<v8::Value> value) {
  v8::String::Utf8Value text(isolate, value);
  return *text ? std::string(*text, size_t(text.length())) : std::string();
}

// What V8 compiles, with its code cache if there is one. V8 looks whether a cache fits its own build and flags and compiles
// plainly if not; that it belongs to this very text is the word of who gave it (supervisor/code-cache.h).
struct CachedSource {
  CachedSource(v8::Local<v8::String> text, const v8::ScriptOrigin& origin, const ModuleSource& from, size_t eagerBytesMax)
      : cache(from.cache), options(optionsFor(text, cache, eagerBytesMax)), source(text, origin, cachedData()) {}

  const std::string_view cache;
  v8::ScriptCompiler::CompileOptions options;
  v8::ScriptCompiler::Source source;

 private:
  static v8::ScriptCompiler::CompileOptions optionsFor(v8::Local<v8::String> text, std::string_view cache, size_t eagerBytesMax) {
    if (!cache.empty()) return v8::ScriptCompiler::kConsumeCodeCache;
    return size_t(text->Length()) <= eagerBytesMax ? v8::ScriptCompiler::kEagerCompile : v8::ScriptCompiler::kNoCompileOptions;
  }

  // Deleted by `source`, and does not own the bytes.
  v8::ScriptCompiler::CachedData* cachedData() const {
    if (cache.empty()) return nullptr;
    return new v8::ScriptCompiler::CachedData(reinterpret_cast<const uint8_t*>(cache.data()), int(cache.size()),
                                              v8::ScriptCompiler::CachedData::BufferNotOwned);
  }
};

}  // namespace

Modules::Modules(Engine& engine, policy::Profile profile)
    : engine_(engine), profile_(profile), isolate_(engine.isolate()) {
  theModules = this;
  isolate_->SetHostImportModuleWithPhaseDynamicallyCallback(onDynamicImport);
  isolate_->SetHostImportModuleDynamicallyCallback(
      [](v8::Local<v8::Context> context, v8::Local<v8::Data> options, v8::Local<v8::Value> importer,
         v8::Local<v8::String> specifier, v8::Local<v8::FixedArray> attributes) {
        return onDynamicImport(context, options, importer, specifier, v8::ModuleImportPhase::kEvaluation, attributes);
      });
}

Modules& Modules::of(v8::Isolate*) { return *theModules; }

void Modules::add(std::vector<ModuleSource> sources) {
  for (auto& source : sources) {
    auto name = source.name;
    entries_[std::move(name)].source = std::move(source);
  }
  for (auto& builtin : BUILTINS) {
    entries_[builtin.name].source.name = builtin.name;
    entries_[builtin.name].builtin = true;
  }
}

std::string Modules::resolve(std::string_view specifier, std::string_view importer) {
  bool relative = specifier.starts_with("./") || specifier.starts_with("../") || specifier == "." || specifier == "..";
  if (!relative && !specifier.starts_with('/')) return std::string(specifier);
  std::string path;
  if (relative) {
    auto slash = importer.rfind('/');
    if (slash != std::string_view::npos) path = std::string(importer.substr(0, slash + 1));
  }
  path += specifier;
  std::vector<std::string_view> parts;
  for (std::string_view rest = path; !rest.empty();) {
    auto slash = rest.find('/');
    auto part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();   // above the root is the root
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string result;
  for (auto part : parts) {
    if (!result.empty()) result += '/';
    result += part;
  }
  return result;
}

v8::MaybeLocal<v8::Promise> Modules::evaluate(const std::string& mainModule) {
  auto context = engine_.context();
  auto* entry = find(mainModule);
  if (entry == nullptr) {
    throwError(isolate_, ("No such module: " + mainModule).c_str());
    return {};
  }
  v8::Local<v8::Module> module;
  v8::Local<v8::Value> result;
  if (!compile(*entry).ToLocal(&module) || !module->InstantiateModule(context, onImport, onImportSource).FromMaybe(false) ||
      !module->Evaluate(context).ToLocal(&result)) {
    return {};
  }
  return result.As<v8::Promise>();
}

void Modules::keepCaches() {
  for (auto& [name, entry] : entries_) {
    if (entry.module.IsEmpty() && entry.value.IsEmpty()) entry.source.keptCache = entry.source.cache;
    entry.source.cache = entry.source.keptCache;
  }
}

v8::Local<v8::Object> Modules::mainNamespace(const std::string& mainModule) {
  return find(mainModule)->module.Get(isolate_)->GetModuleNamespace().As<v8::Object>();
}

// -- V8's callbacks ------------------------------------------------------------------------------------------------

v8::MaybeLocal<v8::Module> Modules::onImport(v8::Local<v8::Context> context, v8::Local<v8::String> specifier,
                                             v8::Local<v8::FixedArray>, v8::Local<v8::Module> importer) {
  auto& self = of(v8::Isolate::GetCurrent());
  auto* entry = self.findOrThrow(specifier, importer->GetResourceName());
  return entry == nullptr ? v8::MaybeLocal<v8::Module>() : self.compile(*entry);
}

v8::MaybeLocal<v8::Object> Modules::onImportSource(v8::Local<v8::Context>, v8::Local<v8::String> specifier,
                                                   v8::Local<v8::FixedArray>, v8::Local<v8::Module> importer) {
  auto& self = of(v8::Isolate::GetCurrent());
  auto* entry = self.findOrThrow(specifier, importer->GetResourceName());
  if (entry == nullptr) return {};
  if (entry->source.kind != ModuleSource::Kind::WASM) {
    self.isolate_->ThrowException(v8::Exception::SyntaxError(
        self.string("Source phase import is only for WebAssembly modules; \"" + entry->source.name + "\" is none.")));
    return {};
  }
  v8::Local<v8::Value> value;
  if (!self.valueOf(*entry).ToLocal(&value)) return {};
  return value.As<v8::Object>();
}

v8::MaybeLocal<v8::Promise> Modules::onDynamicImport(v8::Local<v8::Context> context, v8::Local<v8::Data>,
                                                     v8::Local<v8::Value> importer, v8::Local<v8::String> specifier,
                                                     v8::ModuleImportPhase phase, v8::Local<v8::FixedArray>) {
  auto& self = of(v8::Isolate::GetCurrent());
  auto* isolate = self.isolate_;
  v8::EscapableHandleScope scope(isolate);
  v8::TryCatch tryCatch(isolate);
  auto* entry = self.findOrThrow(specifier, importer);
  v8::Local<v8::Promise> promise;
  if (entry != nullptr && self.importLater(*entry, phase).ToLocal(&promise)) return scope.Escape(promise);
  if (tryCatch.HasTerminated()) {
    tryCatch.ReThrow();
    return {};
  }
  // What goes wrong in import() is the promise's business.
  auto exception = tryCatch.Exception();
  v8::Local<v8::Promise::Resolver> resolver;
  if (!v8::Promise::Resolver::New(context).ToLocal(&resolver) || resolver->Reject(context, exception).IsNothing()) return {};
  return scope.Escape(resolver->GetPromise());
}

v8::MaybeLocal<v8::Value> Modules::evaluateSynthetic(v8::Local<v8::Context> context, v8::Local<v8::Module> module) {
  auto& self = of(v8::Isolate::GetCurrent());
  auto* isolate = self.isolate_;
  Entry* entry = nullptr;
  auto range = self.byHash_.equal_range(module->GetIdentityHash());
  for (auto it = range.first; it != range.second; ++it) {
    if (it->second->module == module) entry = it->second;
  }
  v8::Local<v8::Value> value;
  if (entry->builtin) {
    auto exports = entry->value.Get(isolate).As<v8::Object>();
    v8::Local<v8::Array> names;
    if (!exports->GetOwnPropertyNames(context).ToLocal(&names)) return {};
    if (hookOf(entry->source.name) == nullptr && module->SetSyntheticModuleExport(isolate, self.string("default"), exports).IsNothing()) return {};
    for (uint32_t i = 0; i < names->Length(); ++i) {
      v8::Local<v8::Value> name;
      if (!names->Get(context, i).ToLocal(&name)) return {};
      if (name->StrictEquals(self.string("default"))) continue;
      if (!exports->Get(context, name).ToLocal(&value) ||
          module->SetSyntheticModuleExport(isolate, name.As<v8::String>(), value).IsNothing()) {
        return {};
      }
    }
  } else if (!self.valueOf(*entry).ToLocal(&value) ||
             module->SetSyntheticModuleExport(isolate, self.string("default"), value).IsNothing()) {
    return {};
  }
  v8::Local<v8::Promise::Resolver> resolver;
  if (!v8::Promise::Resolver::New(context).ToLocal(&resolver) ||
      resolver->Resolve(context, v8::Undefined(isolate)).IsNothing()) {
    return {};
  }
  return resolver->GetPromise();
}

// -- Making modules ------------------------------------------------------------------------------------------------

Modules::Entry* Modules::find(const std::string& name) {
  auto it = entries_.find(name);
  return it == entries_.end() ? nullptr : &it->second;
}

Modules::Entry* Modules::findOrThrow(v8::Local<v8::String> specifier, v8::Local<v8::Value> importer) {
  auto from = importer->IsString() ? utf8(isolate_, importer) : std::string();
  auto name = resolve(utf8(isolate_, specifier), from);
  auto* entry = find(name);
  if (entry == nullptr) entry = findBuiltin(name);
  if (entry == nullptr) {
    auto text = "No such module \"" + name + "\"." + (from.empty() ? "" : "\n  imported from \"" + from + "\"");
    throwError(isolate_, text.c_str());
  }
  return entry;
}

// A module of Node.js's, if this worker has them.
Modules::Entry* Modules::findBuiltin(const std::string& name) {
  v8::Local<v8::Value> hook, exports, parameter = string(name);
  if (!engine_.hooks()->Get(engine_.context(), string("nodeModule")).ToLocal(&hook) || !hook->IsFunction() ||
      !hook.As<v8::Function>()->Call(engine_.context(), v8::Undefined(isolate_), 1, &parameter).ToLocal(&exports) || !exports->IsObject()) {
    return nullptr;
  }
  auto& entry = entries_[name];
  entry.source.name = name;
  entry.builtin = true;
  entry.value.Reset(isolate_, exports);
  return &entry;
}

v8::MaybeLocal<v8::Module> Modules::compile(Entry& entry) {
  if (!entry.module.IsEmpty()) return entry.module.Get(isolate_);
  auto name = string(entry.source.name);
  v8::Local<v8::Module> module;
  if (entry.builtin) {
    if (!makeBuiltin(entry).ToLocal(&module)) return {};
  } else if (entry.source.kind == ModuleSource::Kind::JS) {
    if (!compileModule(entry.source, EAGER_COMPILE_BYTES_MAX).ToLocal(&module)) return {};
  } else {
    v8::Local<v8::String> exports[] = {string("default")};
    module = v8::Module::CreateSyntheticModule(isolate_, name, {exports, 1}, evaluateSynthetic);
  }
  entry.module.Reset(isolate_, module);
  if (module->IsSyntheticModule()) byHash_.emplace(module->GetIdentityHash(), &entry);
  return module;
}

v8::MaybeLocal<v8::Module> Modules::compileModule(ModuleSource& source, size_t eagerBytesMax) {
  v8::Local<v8::String> text;
  if (!takeText(source).ToLocal(&text)) return {};
  v8::ScriptOrigin origin(string(source.name), 0, 0, false, -1, {}, false, false, true);
  CachedSource cached(text, origin, source, eagerBytesMax);
  v8::Local<v8::Module> module;
  if (!v8::ScriptCompiler::CompileModule(isolate_, &cached.source, cached.options).ToLocal(&module)) {
    source.body = utf8(isolate_, text);   // who imports it again is told the same
    return {};
  }
  return module;
}

v8::MaybeLocal<v8::Function> Modules::compileCommonJs(ModuleSource& source) {
  v8::Local<v8::String> text;
  if (!takeText(source).ToLocal(&text)) return {};
  v8::Local<v8::String> parameters[] = {string("exports"), string("require"), string("module"), string("__filename"),
                                        string("__dirname")};
  v8::ScriptOrigin origin(string(source.name));
  CachedSource cached(text, origin, source, 0);   // of a function V8 takes nothing else
  v8::Local<v8::Function> function;
  if (!v8::ScriptCompiler::CompileFunction(engine_.context(), &cached.source, 5, parameters, 0, nullptr, cached.options).ToLocal(&function)) {
    return {};
  }
  return function;
}

std::string Modules::makeCodeCache(ModuleSource& source) {
  std::unique_ptr<v8::ScriptCompiler::CachedData> cache;
  if (source.kind == ModuleSource::Kind::JS) {
    v8::Local<v8::Module> module;
    if (!compileModule(source, EAGER_CACHE_BYTES_MAX).ToLocal(&module)) return {};
    cache.reset(v8::ScriptCompiler::CreateCodeCache(module->GetUnboundModuleScript()));
  } else if (source.kind == ModuleSource::Kind::CJS) {
    v8::Local<v8::Function> function;
    if (!compileCommonJs(source).ToLocal(&function)) return {};
    cache.reset(v8::ScriptCompiler::CreateCodeCacheForFunction(function));
  }
  if (cache == nullptr) return {};
  return std::string(reinterpret_cast<const char*>(cache->data), size_t(cache->length));
}

v8::MaybeLocal<v8::String> Modules::takeText(ModuleSource& source) {
  v8::Local<v8::String> text;
  auto inPlace = std::exchange(source.textInPlace, {});
  auto made = inPlace.empty() ? makeModuleText(isolate_, std::exchange(source.body, {})) : makeModuleTextInPlace(isolate_, inPlace);
  if (!made.ToLocal(&text)) {
    throwRangeError(isolate_, ("Module \"" + source.name + "\" is too long.").c_str());
    return {};
  }
  return text;
}

v8::MaybeLocal<v8::Module> Modules::makeBuiltin(Entry& entry) {
  auto context = engine_.context();
  v8::Local<v8::Value> exports;
  v8::Local<v8::Array> names;
  if (entry.value.IsEmpty()) {
    if (!engine_.hooks()->Get(context, string(hookOf(entry.source.name))).ToLocal(&exports) || !exports->IsObject()) return {};
    entry.value.Reset(isolate_, exports);
  }
  exports = entry.value.Get(isolate_);
  if (!exports.As<v8::Object>()->GetOwnPropertyNames(context).ToLocal(&names)) return {};
  std::vector<v8::Local<v8::String>> list;
  for (uint32_t i = 0; i < names->Length(); ++i) {
    v8::Local<v8::Value> name;
    if (!names->Get(context, i).ToLocal(&name)) return {};
    if (name->IsString() && !name->StrictEquals(string("default"))) list.push_back(name.As<v8::String>());
  }
  if (hookOf(entry.source.name) == nullptr) list.push_back(string("default"));
  return v8::Module::CreateSyntheticModule(isolate_, string(entry.source.name), {list.data(), list.size()}, evaluateSynthetic);
}

v8::MaybeLocal<v8::Value> Modules::valueOf(Entry& entry) {
  auto context = engine_.context();
  auto& body = entry.source.body;
  if (entry.source.kind == ModuleSource::Kind::CJS) return runCommonJs(entry);
  if (!entry.value.IsEmpty()) return entry.value.Get(isolate_);
  v8::Local<v8::Value> value;
  switch (entry.source.kind) {
    case ModuleSource::Kind::TEXT:
    case ModuleSource::Kind::JSON: {
      v8::Local<v8::String> text;
      if (!v8::String::NewFromUtf8(isolate_, body.data(), v8::NewStringType::kNormal, int(body.size())).ToLocal(&text)) {
        throwRangeError(isolate_, ("Module \"" + entry.source.name + "\" is too long.").c_str());
        return {};
      }
      if (entry.source.kind == ModuleSource::Kind::TEXT) value = text;
      else if (!v8::JSON::Parse(context, text).ToLocal(&value)) return {};
      break;
    }
    case ModuleSource::Kind::DATA: {
      auto store = v8::ArrayBuffer::NewBackingStore(isolate_, body.size(), v8::BackingStoreInitializationMode::kZeroInitialized,
                                                    v8::BackingStoreOnFailureMode::kReturnNull);
      if (store == nullptr) {
        throwRangeError(isolate_, "Array buffer allocation failed");
        return {};
      }
      if (!body.empty()) memcpy(store->Data(), body.data(), body.size());
      value = v8::ArrayBuffer::New(isolate_, std::move(store));
      break;
    }
    case ModuleSource::Kind::WASM: {
      if (profile_ != policy::Profile::DEFAULT) {
        throwError(isolate_, ("Module \"" + entry.source.name + "\" is WebAssembly, which the profile \"" +
                              std::string(policy::profileName(profile_)) + "\" of this sandbox does not have.").c_str());
        return {};
      }
      v8::Local<v8::WasmModuleObject> module;
      v8::MemorySpan<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(body.data()), body.size());
      if (!v8::WasmModuleObject::Compile(isolate_, bytes).ToLocal(&module)) return {};
      value = module;
      break;
    }
    default: return {};
  }
  body = {};
  entry.value.Reset(isolate_, value);
  return value;
}

v8::MaybeLocal<v8::Value> Modules::runCommonJs(Entry& entry) {
  auto context = engine_.context();
  auto key = [this](const char* name) { return string(name); };
  if (!entry.evaluated) {
    entry.evaluated = true;   // a circular require() gets what is exported so far
    auto module = v8::Object::New(isolate_);
    auto exports = v8::Object::New(isolate_);
    if (module->Set(context, key("exports"), exports).IsNothing()) return {};
    entry.value.Reset(isolate_, module);
    auto slash = entry.source.name.rfind('/');
    auto name = string(entry.source.name);
    v8::Local<v8::Function> function, require;
    if (!compileCommonJs(entry.source).ToLocal(&function) ||
        !v8::Function::New(context, Modules::require, name).ToLocal(&require)) {
      return {};
    }
    v8::Local<v8::Value> arguments[] = {exports, require, module, name,
                                        string(slash == std::string::npos ? "" : entry.source.name.substr(0, slash))};
    if (function->Call(context, exports, 5, arguments).IsEmpty()) return {};
  }
  return entry.value.Get(isolate_).As<v8::Object>()->Get(context, key("exports"));
}

void Modules::require(const v8::FunctionCallbackInfo<v8::Value>& info) {
  auto& self = of(info.GetIsolate());
  if (!info[0]->IsString()) return throwTypeError(self.isolate_, "require() expects the name of a module");
  auto* entry = self.findOrThrow(info[0].As<v8::String>(), info.Data());
  v8::Local<v8::Value> value;
  if (entry != nullptr && self.requireModule(*entry).ToLocal(&value)) info.GetReturnValue().Set(value);
}

v8::MaybeLocal<v8::Value> Modules::requireModule(Entry& entry) {
  if (entry.builtin && hookOf(entry.source.name) == nullptr) return entry.value.Get(isolate_);
  bool isModule = entry.builtin || entry.source.kind == ModuleSource::Kind::JS;
  if (!isModule) return valueOf(entry);
  v8::Local<v8::Module> module;
  v8::Local<v8::Value> result;
  if (!compile(entry).ToLocal(&module) ||
      !module->InstantiateModule(engine_.context(), onImport, onImportSource).FromMaybe(false) ||
      (module->GetStatus() != v8::Module::kEvaluating && !module->Evaluate(engine_.context()).ToLocal(&result))) {
    return {};
  }
  if (module->GetStatus() == v8::Module::kErrored) {
    isolate_->ThrowException(module->GetException());
    return {};
  }
  if (module->IsGraphAsync()) {
    throwError(isolate_, ("require() cannot load \"" + entry.source.name + "\": it uses top-level await; import() it.").c_str());
    return {};
  }
  return module->GetModuleNamespace();
}

// As the language has it, what import() asks for is evaluated in a job of its own. Not only for the order of things: the
// module may import one that is just being evaluated, and V8 ends the process when an evaluation meets another.
v8::MaybeLocal<v8::Promise> Modules::importLater(Entry& entry, v8::ModuleImportPhase phase) {
  if (phase == v8::ModuleImportPhase::kSource) return importNow(entry, phase);
  auto context = engine_.context();
  v8::Local<v8::Promise::Resolver> resolver;
  v8::Local<v8::Function> evaluate;
  auto evaluateNow = [](const v8::FunctionCallbackInfo<v8::Value>& info) {
    auto& self = of(info.GetIsolate());
    v8::Local<v8::Promise> promise;
    auto* entry = self.find(utf8(info.GetIsolate(), info.Data()));
    if (self.importNow(*entry, v8::ModuleImportPhase::kEvaluation).ToLocal(&promise)) info.GetReturnValue().Set(promise);
  };
  if (!v8::Promise::Resolver::New(context).ToLocal(&resolver) ||
      !v8::Function::New(context, evaluateNow, string(entry.source.name)).ToLocal(&evaluate) ||
      resolver->Resolve(context, v8::Undefined(isolate_)).IsNothing()) {
    return {};
  }
  return resolver->GetPromise()->Then(context, evaluate);
}

v8::MaybeLocal<v8::Promise> Modules::importNow(Entry& entry, v8::ModuleImportPhase phase) {
  auto context = engine_.context();
  if (phase == v8::ModuleImportPhase::kSource) {
    v8::Local<v8::Value> value;
    if (entry.source.kind != ModuleSource::Kind::WASM) {
      isolate_->ThrowException(v8::Exception::SyntaxError(
          string("Source phase import is only for WebAssembly modules; \"" + entry.source.name + "\" is none.")));
      return {};
    }
    v8::Local<v8::Promise::Resolver> resolver;
    if (!valueOf(entry).ToLocal(&value) || !v8::Promise::Resolver::New(context).ToLocal(&resolver) ||
        resolver->Resolve(context, value).IsNothing()) {
      return {};
    }
    return resolver->GetPromise();
  }
  v8::Local<v8::Module> module;
  v8::Local<v8::Value> result;
  if (!compile(entry).ToLocal(&module) || !module->InstantiateModule(context, onImport, onImportSource).FromMaybe(false) ||
      !module->Evaluate(context).ToLocal(&result)) {
    return {};
  }
  // The namespace, once the module (and what it awaits) is done.
  v8::Local<v8::Function> giveNamespace;
  auto give = [](const v8::FunctionCallbackInfo<v8::Value>& info) { info.GetReturnValue().Set(info.Data()); };
  if (!v8::Function::New(context, give, module->GetModuleNamespace()).ToLocal(&giveNamespace)) return {};
  return result.As<v8::Promise>()->Then(context, giveNamespace);
}

v8::Local<v8::String> Modules::string(std::string_view text) {
  return v8::String::NewFromUtf8(isolate_, text.data(), v8::NewStringType::kNormal, int(text.size())).ToLocalChecked();
}

}  // namespace glovebox
