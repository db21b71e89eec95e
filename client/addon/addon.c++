// glovebox.node: what client/src/addon.d.ts declares. Reads JavaScript's arguments and hands them to a Line; nothing else.

#include <kj/debug.h>

#include <cstring>
#include <memory>

#include "client/addon/environment.h"
#include "client/addon/js-events.h"
#include "client/addon/line.h"
#include "client/addon/napi.h"
#include "client/addon/supervisor-options.h"
#include "ipc/limits-message.h"
#include "ipc/listener.h"
#include "ipc/wire-limits.h"

namespace glovebox::client {
namespace {

// Marks the objects whose native part is a Line, so that no other object can pass for one.
constexpr napi_type_tag LINE_TAG{0x6d1f0d3a5c1e4b83, 0x9a7be20f54c8d165};

// -- Arguments ----------------------------------------------------------------------------------------------------------

kj::Own<Line>& lineOf(const Arguments& args) {
  bool ours = false;
  if (napi_check_object_type_tag(args.env, args.self(), &LINE_TAG, &ours) != napi_ok || !ours) {
    throw typeError(kj::str("This is a method of a line."));
  }
  void* data = nullptr;
  check(args.env, napi_unwrap(args.env, args.self(), &data));
  return *static_cast<kj::Own<Line>*>(data);
}

Line& openLineOf(const Arguments& args) {
  auto& line = *lineOf(args);
  if (!line.isOpen()) throw JsError{JsError::Type::ERROR, kj::str("The line to the supervisor is closed."), "GLOVEBOX_CLOSED"};
  return line;
}

kj::Array<kj::String> toStrings(napi_env env, napi_value value, kj::StringPtr what) {
  auto count = arrayLength(env, value, what);
  auto strings = kj::heapArrayBuilder<kj::String>(count);
  for (uint32_t i = 0; i < count; i++) strings.add(toString(env, element(env, value, i), what));
  return strings.finish();
}

kj::Array<OutgoingExternal> toExternals(napi_env env, napi_value value) {
  auto count = arrayLength(env, value, "externals");
  auto externals = kj::heapArrayBuilder<OutgoingExternal>(count);
  for (uint32_t i = 0; i < count; i++) {
    auto from = element(env, value, i);
    auto kind = toNumber(env, property(env, from, "kind"), "an external's kind");
    if (kind > uint64_t(ExternalKind::SOCKET)) throw typeError(kj::str("There is no external of kind ", kind, "."));
    auto label = property(env, from, "label");
    externals.add(OutgoingExternal{ExternalKind(kind), toNumber(env, property(env, from, "id"), "an external's id"),
                                   toBool(env, property(env, from, "imported"), "an external's imported"),
                                   isUndefined(env, label) ? kj::String() : toString(env, label, "an external's label")});
  }
  return externals.finish();
}

// WorkerLimits of ipc/js/limits.ts; undefined: nothing was said.
WorkerLimits toLimits(napi_env env, napi_value from) {
  WorkerLimits limits;
  if (isUndefined(env, from)) return limits;
  for (auto& limit: WORKER_LIMITS) {
    limits.*limit.field = uint32_t(kj::min(toNumber(env, property(env, from, limit.name), limit.name), uint64_t(UINT32_MAX)));
  }
  return limits;
}

// Bytes of a value that may be absent.
class OptionalValue {
 public:
  OptionalValue(napi_env env, napi_value value, kj::StringPtr what) {
    if (isUndefined(env, value)) return;
    bytes_ = kj::heap<ValueBytes>(toBytes(env, value, what));
  }
  kj::Maybe<ValueBytes&> get() {
    if (bytes_.get() == nullptr) return nullptr;
    return *bytes_;
  }

 private:
  kj::Own<ValueBytes> bytes_;
};

void setText(capnp::Text::Builder to, kj::StringPtr from) { memcpy(to.begin(), from.begin(), from.size()); }

// `total`: bytes of all bodies so far.
void writeModule(napi_env env, napi_value from, rpc::Module::Builder to, size_t& total) {
  to.setName(toString(env, property(env, from, "name"), "a module's name"));
  auto kind = toString(env, property(env, from, "kind"), "a module's kind");
  auto body = property(env, from, "body");
  auto add = [&total](size_t size) {
    total += size;
    if (total > wire::CODE_BYTES_MAX) {
      throw typeError(kj::str("The modules have more than ", wire::CODE_BYTES_MAX, " bytes together."));
    }
    return uint(size);
  };
  if (kind == "data" || kind == "wasm") {
    auto bytes = toBytes(env, body, "the body of a module of bytes");
    auto size = add(bytes.size());
    auto space = kind == "data" ? to.initData(size) : to.initWasm(size);
    memcpy(space.begin(), bytes.begin(), size);
    return;
  }
  auto text = toString(env, body, "the body of a module of text");
  auto size = add(text.size());
  if (kind == "js") setText(to.initJs(size), text);
  else if (kind == "cjs") setText(to.initCjs(size), text);
  else if (kind == "text") setText(to.initText(size), text);
  else if (kind == "json") setText(to.initJson(size), text);
  else throw typeError(kj::str("There is no module of the kind \"", kind, "\"."));
}

void writeCode(napi_env env, napi_value from, rpc::WorkerCode::Builder to) {
  to.setCompatibilityDate(toString(env, property(env, from, "compatibilityDate"), "compatibilityDate"));
  auto flags = toStrings(env, property(env, from, "compatibilityFlags"), "compatibilityFlags");
  auto flagList = to.initCompatibilityFlags(uint(flags.size()));
  for (auto i: kj::indices(flags)) flagList.set(uint(i), flags[i]);
  to.setMainModule(toString(env, property(env, from, "mainModule"), "mainModule"));
  auto outbound = property(env, from, "outbound");
  if (!isUndefined(env, outbound)) to.setOutbound(uint32_t(toNumber(env, outbound, "outbound")));
  auto modules = property(env, from, "modules");
  auto count = arrayLength(env, modules, "modules");
  auto moduleList = to.initModules(count);
  size_t total = 0;
  for (uint32_t i = 0; i < count; i++) writeModule(env, element(env, modules, i), moduleList[i], total);
  writeLimits(toLimits(env, property(env, from, "limits")), to.initLimits());
}

// -- Methods of a line --------------------------------------------------------------------------------------------------

napi_value outbound(const Arguments& args) { return fromNumber(args.env, openLineOf(args).outbound()); }

napi_value loader(const Arguments& args) {
  return fromNumber(args.env, openLineOf(args).loader(toLimits(args.env, args[0])));
}

napi_value loopback(const Arguments& args) {
  return fromNumber(args.env, openLineOf(args).loopback(toNumber(args.env, args[0], "target")));
}

napi_value call(const Arguments& args) {
  auto env = args.env;
  auto& line = openLineOf(args);
  auto target = toNumber(env, args[0], "target");
  auto path = toStrings(env, args[1], "path");
  auto externals = toExternals(env, args[3]);
  OptionalValue value(env, args[2], "args");
  bool account = !isUndefined(env, args[4]) && toBool(env, args[4], "account");
  return fromNumber(env, line.call(target, path, value.get(), externals, account));
}

napi_value release(const Arguments& args) {
  lineOf(args)->release(toNumber(args.env, args[0], "id"));
  return nullptr;
}

napi_value settle(const Arguments& args) {
  auto env = args.env;
  auto& line = *lineOf(args);
  auto number = toNumber(env, args[0], "call");
  auto ok = toBool(env, args[1], "ok");
  auto externals = toExternals(env, args[3]);
  auto pipeline = toNumber(env, args[4], "pipeline");
  auto disposable = toBool(env, args[5], "disposable");
  ValueBytes value(toBytes(env, args[2], "value"));
  line.settle(number, ok, value, externals, pipeline, disposable);
  return nullptr;
}

napi_value load(const Arguments& args) {
  auto env = args.env;
  auto& line = openLineOf(args);
  auto loader = toNumber(env, args[0], "loader");
  auto code = args[1];
  auto wantsLogs = toBool(env, args[2], "wantsLogs");
  auto externals = toExternals(env, property(env, code, "envExternals"));
  auto tailList = property(env, code, "tails");
  auto tails = isUndefined(env, tailList) ? kj::Array<OutgoingExternal>() : toExternals(env, tailList);
  OptionalValue value(env, property(env, code, "env"), "env");
  return fromNumber(env, line.load(loader, [&](rpc::WorkerCode::Builder to) { writeCode(env, code, to); }, value.get(),
                                   externals, tails, wantsLogs));
}

napi_value get(const Arguments& args) {
  auto env = args.env;
  auto& line = openLineOf(args);
  auto loader = toNumber(env, args[0], "loader");
  auto name = toString(env, args[1], "name");
  return fromNumber(env, line.get(loader, name, toNumber(env, args[2], "factory"), toBool(env, args[3], "wantsLogs")));
}

napi_value giveCode(const Arguments& args) {
  auto env = args.env;
  auto number = toNumber(env, args[0], "call");
  auto code = args[1];
  auto externals = toExternals(env, property(env, code, "envExternals"));
  OptionalValue value(env, property(env, code, "env"), "env");
  auto tailList = property(env, code, "tails");
  auto tails = isUndefined(env, tailList) ? kj::Array<OutgoingExternal>() : toExternals(env, tailList);
  lineOf(args)->giveCode(number, [&](rpc::WorkerCode::Builder to) { writeCode(env, code, to); }, value.get(), externals, tails);
  return nullptr;
}

napi_value byName(const Arguments& args) {
  auto env = args.env;
  auto& line = openLineOf(args);
  auto loader = toNumber(env, args[0], "loader");
  auto act = toNumber(env, args[1], "act");
  if (act > uint64_t(Line::NameAct::LIST)) throw typeError(kj::str("There is nothing ", act, " to do with a name."));
  return fromNumber(env, line.byName(loader, Line::NameAct(act), toString(env, args[2], "name")));
}

napi_value entrypoint(const Arguments& args) {
  auto env = args.env;
  auto& line = openLineOf(args);
  auto worker = toNumber(env, args[0], "worker");
  auto name = toString(env, args[1], "name");
  auto externals = toExternals(env, args[3]);
  auto limits = toLimits(env, args[4]);
  OptionalValue props(env, args[2], "props");
  return fromNumber(env, line.entrypoint(worker, name, props.get(), externals, limits));
}

napi_value revoke(const Arguments& args) {
  return fromNumber(args.env, openLineOf(args).revoke(toNumber(args.env, args[0], "worker")));
}

napi_value promise(const Arguments& args) { return fromNumber(args.env, openLineOf(args).promise()); }

napi_value resolve(const Arguments& args) {
  lineOf(args)->resolve(toNumber(args.env, args[0], "promise"), toNumber(args.env, args[1], "worker"));
  return nullptr;
}

napi_value reject(const Arguments& args) {
  lineOf(args)->reject(toNumber(args.env, args[0], "promise"), toString(args.env, args[1], "message"));
  return nullptr;
}

napi_value status(const Arguments& args) { return fromNumber(args.env, openLineOf(args).status()); }

napi_value close(const Arguments& args) {
  lineOf(args)->close();
  return nullptr;
}

napi_value pending(const Arguments& args) { return fromNumber(args.env, lineOf(args)->pending()); }

// -- Making one ---------------------------------------------------------------------------------------------------------

napi_value makeLineObject(Environment& environment, kj::Own<Line> line) {
  auto env = environment.env();
  napi_value constructor, object;
  check(env, napi_get_reference_value(env, environment.lineClass, &constructor));
  check(env, napi_new_instance(env, constructor, 0, nullptr, &object));
  check(env, napi_type_tag_object(env, object, &LINE_TAG));
  auto held = std::make_unique<kj::Own<Line>>(kj::mv(line));
  check(env, napi_wrap(env, object, held.get(), [](napi_env, void* data, void*) { delete static_cast<kj::Own<Line>*>(data); },
                       nullptr, nullptr));
  held.release();   // V8's garbage collector has it now
  return object;
}

napi_value connect(const Arguments& args) {
  auto env = args.env;
  auto& environment = Environment::of(env);
  auto path = toString(env, args[0], "socketPath");
  auto events = kj::heap<JsEvents>(environment, args[1]);
  auto& port = environment.port();
  kj::Own<RpcConnection> connection;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { connection = connectToSupervisor(port, path); })) {
    throw JsError{JsError::Type::ERROR, kj::str(exception->getDescription()), "GLOVEBOX_UNAVAILABLE"};
  }
  auto line = kj::refcounted<Line>(port, kj::mv(events), kj::mv(connection));
  environment.keep(kj::addRef(*line));
  return makeLineObject(environment, kj::mv(line));
}

napi_value embed(const Arguments& args) {
  auto env = args.env;
  auto& environment = Environment::of(env);
  auto folder = toString(env, args[0], "installationFolder");
  auto options = toSupervisorOptions(env, args[1]);
  auto events = kj::heap<JsEvents>(environment, args[2]);
  auto& port = environment.port();
  kj::Own<EmbeddedSupervisor> supervisor;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { supervisor = environment.embeddedSupervisor(folder, options); })) {
    throw JsError{JsError::Type::ERROR, kj::str(exception->getDescription()), "GLOVEBOX_UNAVAILABLE"};
  }
  auto line = kj::refcounted<Line>(port, kj::mv(events), kj::mv(supervisor));
  environment.keep(kj::addRef(*line));
  return makeLineObject(environment, kj::mv(line));
}

napi_value nothing(const Arguments&) { return nullptr; }

napi_value initialize(napi_env env, napi_value exports) {
  auto environment = std::make_unique<Environment>(env);
  constexpr auto METHOD = napi_property_attributes(napi_writable | napi_configurable);
  const napi_property_descriptor methods[] = {
      {"loader", nullptr, entry<loader>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"outbound", nullptr, entry<outbound>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"loopback", nullptr, entry<loopback>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"call", nullptr, entry<call>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"release", nullptr, entry<release>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"settle", nullptr, entry<settle>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"load", nullptr, entry<load>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"get", nullptr, entry<get>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"giveCode", nullptr, entry<giveCode>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"byName", nullptr, entry<byName>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"entrypoint", nullptr, entry<entrypoint>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"revoke", nullptr, entry<revoke>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"promise", nullptr, entry<promise>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"resolve", nullptr, entry<resolve>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"reject", nullptr, entry<reject>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"status", nullptr, entry<status>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"close", nullptr, entry<close>, nullptr, nullptr, nullptr, METHOD, nullptr},
      {"pending", nullptr, nullptr, entry<pending>, nullptr, nullptr, napi_configurable, nullptr},
  };
  napi_value lineClass, function;
  check(env, napi_define_class(env, "Line", NAPI_AUTO_LENGTH, entry<nothing>, nullptr, kj::size(methods), methods, &lineClass));
  check(env, napi_create_reference(env, lineClass, 1, &environment->lineClass));
  check(env, napi_create_function(env, "connect", NAPI_AUTO_LENGTH, entry<connect>, nullptr, &function));
  check(env, napi_set_named_property(env, exports, "connect", function));
  check(env, napi_create_function(env, "embed", NAPI_AUTO_LENGTH, entry<embed>, nullptr, &function));
  check(env, napi_set_named_property(env, exports, "embed", function));
  check(env, napi_set_named_property(env, exports, "profiles", profileNames(env)));
  check(env, napi_set_named_property(env, exports, "layers", layerNames(env)));
  check(env, napi_set_named_property(env, exports, "limits", limitNames(env)));
  check(env, napi_set_instance_data(env, environment.get(), [](napi_env, void* data, void*) {
    delete static_cast<Environment*>(data);
  }, nullptr));
  environment.release();
  return exports;
}

}  // namespace
}  // namespace glovebox::client

NAPI_MODULE_INIT() {
  try {
    return glovebox::client::initialize(env, exports);
  } catch (...) {
    glovebox::client::throwInJs(env);
    return nullptr;
  }
}
