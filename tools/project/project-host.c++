#include "tools/project/project-host.h"

#include <kj/debug.h>

#include "ipc/limits-message.h"
#include "ipc/payload.h"
#include "ipc/value-json.h"
#include "ipc/wire-limits.h"
#include "tools/project/project-files.h"

namespace glovebox::project {

using cli::Failure;

// What a worker of a project is made of, each time that it is.
class ProjectHost::Recipe final: public kj::Refcounted {
 public:
  // `services`: of the configuration's, in their order.
  Recipe(rpc::Supervisor::Client supervisor, ProjectConfig config, std::vector<cli::ModuleFile> modules, std::vector<rpc::Target::Client> services,
         kj::Maybe<rpc::Target::Client> outbound)
      : supervisor_(kj::mv(supervisor)), config_(std::move(config)), modules_(std::move(modules)), services_(std::move(services)),
        outbound_(kj::mv(outbound)) {}
  ~Recipe() noexcept(false) override = default;

  const std::string& name() const { return config_.name; }
  void write(rpc::WorkerCode::Builder code);

 private:
  rpc::Supervisor::Client supervisor_;
  const ProjectConfig config_;
  const std::vector<cli::ModuleFile> modules_;
  std::vector<rpc::Target::Client> services_;
  kj::Maybe<rpc::Target::Client> outbound_;

  // Where in env the outbound is, counted from 1; 0: nowhere.
  uint32_t writeEnv(rpc::Payload::Builder env);
};

// Makes a worker again and again. Held by the supervisor.
class ProjectHost::Factory final: public rpc::WorkerFactory::Server {
 public:
  Factory(kj::Own<Recipe> recipe, Restarted restarted): recipe_(kj::mv(recipe)), restarted_(std::move(restarted)) {}

 protected:
  kj::Promise<void> code(CodeContext context) override {
    recipe_->write(context.getResults().initCode());
    if (made_++ > 0) restarted_(recipe_->name());
    return kj::READY_NOW;
  }

 private:
  kj::Own<Recipe> recipe_;
  Restarted restarted_;
  uint64_t made_ = 0;
};

struct ProjectHost::Loading {
  Lifetime lifetime;
  std::vector<ProjectConfig> projects;
  std::vector<std::vector<cli::ModuleFile>> modules;         // of each
  std::vector<cli::ModuleOrigins> origins;                   // of each
  kj::Array<kj::Maybe<rpc::Worker::Client>> workers;         // of each that is loaded
  std::vector<std::string> underWay;                         // names of those that wait for their services
};

ProjectHost::ProjectHost(rpc::Supervisor::Client supervisor, std::string typescript, ConsoleOf consoleOf)
    : supervisor_(supervisor), consoleOf_(std::move(consoleOf)), stripper_(kj::mv(supervisor), std::move(typescript)) {}

kj::Promise<HostWorker> ProjectHost::load(std::vector<ProjectConfig> projects, Lifetime lifetime) {
  KJ_REQUIRE(!projects.empty());
  auto loading = kj::heap<Loading>();
  loading->lifetime = lifetime;
  try {
    for (auto& project: projects) loading->modules.push_back(readProjectFiles(project));
  } catch (const Failure& failure) {
    return HostWorker(failure);
  }
  loading->workers = kj::heapArray<kj::Maybe<rpc::Worker::Client>>(projects.size());
  loading->projects = std::move(projects);
  return linkFrom(kj::mv(loading), 0);
}

// Most projects have no packages, and are not to wait for a bundler.
kj::Promise<StrippedModules> ProjectHost::link(const ProjectConfig& config, std::vector<cli::ModuleFile> modules) {
  return stripper_.link(std::move(modules)).then([this, config](StrippedModules&& linked) mutable -> kj::Promise<StrippedModules> {
    if (!linked.is<NeedsPackages>()) return kj::mv(linked);
    KJ_IF_MAYBE(bundler, bundler_) {
      if (hasPackages(config) || (bundler->mayInstall() && namesPackages(config))) return bundler->bundle(std::move(config));
    }
    return StrippedModules(kj::mv(linked.get<NeedsPackages>().failure));
  });
}

kj::Promise<HostWorker> ProjectHost::linkFrom(kj::Own<Loading> loading, size_t next) {
  if (next == loading->projects.size()) {
    try {
      auto worker = loadOne(*loading, 0);
      return HostWorker(HostedWorker{kj::mv(worker), loading->origins[0]});
    } catch (const Failure& failure) {
      return HostWorker(failure);
    }
  }
  auto& modules = loading->modules[next];
  auto linking = link(loading->projects[next], std::move(modules));
  return linking.then([this, loading = kj::mv(loading), next](StrippedModules&& linked) mutable -> kj::Promise<HostWorker> {
    if (linked.is<Failure>()) return HostWorker(kj::mv(linked.get<Failure>()));
    loading->modules[next] = std::move(linked.get<std::vector<cli::ModuleFile>>());
    loading->origins.push_back(cli::originsOf(loading->modules[next]));
    return linkFrom(kj::mv(loading), next + 1);
  });
}

rpc::Worker::Client ProjectHost::loadOne(Loading& loading, size_t index) {
  KJ_IF_MAYBE(worker, loading.workers[index]) return *worker;
  auto& config = loading.projects[index];
  loading.underWay.push_back(config.name);
  auto& modules = loading.modules[index];
  cli::checkModules(modules);
  std::vector<rpc::Target::Client> services;
  for (auto& service: config.services) services.push_back(serviceOf(loading, service));
  auto recipe = kj::refcounted<Recipe>(supervisor_, config, std::move(modules), std::move(services), outboundOf_(config));
  auto loader = supervisor_.loaderRequest().send().getLoader();
  auto worker = [&]() -> rpc::Worker::Client {
    if (loading.lifetime == Lifetime::RESTARTED) {
      auto request = loader.getRequest();
      request.setName(config.name.c_str());
      request.setFactory(kj::heap<Factory>(kj::mv(recipe), restarted_));
      request.setConsole(consoleOf_(config.name, loading.origins[index]));
      return request.send().getWorker();
    }
    auto request = loader.loadRequest();
    recipe->write(request.initCode());
    request.setConsole(consoleOf_(config.name, loading.origins[index]));
    return request.send().getWorker();
  }();
  loading.underWay.pop_back();
  loading.workers[index] = worker;
  return worker;
}

rpc::Target::Client ProjectHost::serviceOf(Loading& loading, const ServiceBinding& service) {
  std::string circle;
  for (auto& name: loading.underWay) {
    if (!circle.empty() || name == service.service) circle += "'" + name + "', which needs ";
  }
  if (!circle.empty()) {
    throw Failure(cli::EXIT_CODE_USAGE, service.where + ": services in a circle are not supported: " + circle + "'" + service.service + "'. " +
                  "What a worker exports itself it finds in `ctx.exports`.");
  }
  for (size_t i = 0; i < loading.projects.size(); i++) {
    if (loading.projects[i].name != service.service) continue;
    auto request = loadOne(loading, i).getEntrypointRequest();
    request.setName(service.entrypoint.c_str());
    if (service.props.kind != ConfigValue::Kind::NIL) writePayload(parseJson(toJson(service.props)), request.initProps());
    return request.send().getEntrypoint();
  }
  std::string names;
  for (auto& project: loading.projects) names += (names.empty() ? "'" : ", '") + project.name + "'";
  throw Failure(cli::EXIT_CODE_USAGE, service.where + ": there is no project of the name '" + service.service + "' among those given: " + names +
                ". Give its folder, too: --with DIR");
}

void ProjectHost::Recipe::write(rpc::WorkerCode::Builder code) {
  code.setCompatibilityDate(config_.compatibilityDate.c_str());
  auto flags = code.initCompatibilityFlags(static_cast<unsigned>(config_.compatibilityFlags.size()));
  for (unsigned i = 0; i < flags.size(); i++) flags.set(i, config_.compatibilityFlags[i].c_str());
  code.setMainModule(modules_[0].name.c_str());
  cli::setModules(modules_, code);
  code.setOutbound(writeEnv(code.initEnv()));
  writeLimits(config_.limits, code.initLimits());
}

// The variables as plain data, and beside them what is handed over by reference.
uint32_t ProjectHost::Recipe::writeEnv(rpc::Payload::Builder env) {
  ConfigValue vars;
  vars.kind = ConfigValue::Kind::OBJECT;
  vars.members = config_.vars;
  auto graph = parseJson(toJson(vars));
  kj::Vector<capnp::Capability::Client> capabilities;
  auto bind = [&](const std::string& name, ValueExternal::Kind kind, capnp::Capability::Client capability) {
    ValueNode key, value;
    key.kind = ValueNode::Kind::TEXT;
    key.bytes = name;
    value.kind = ValueNode::Kind::EXTERNAL;
    value.ref = static_cast<NodeRef>(graph.externals.size());
    auto& external = graph.externals.emplace_back();
    external.kind = kind;
    external.id = capabilities.size();
    external.label = name;
    capabilities.add(kj::mv(capability));
    auto first = static_cast<NodeRef>(graph.nodes.size());
    graph.nodes.push_back(std::move(key));
    graph.nodes.push_back(std::move(value));
    graph.nodes[0].properties.push_back({first, first + 1});
  };
  // Each has names of its own (`get`).
  for (auto& name: config_.workerLoaders) bind(name, ValueExternal::Kind::LOADER, supervisor_.loaderRequest().send().getLoader());
  for (size_t i = 0; i < services_.size(); i++) bind(config_.services[i].binding, ValueExternal::Kind::SERVICE, services_[i]);
  uint32_t where = 0;
  KJ_IF_MAYBE(outbound, outbound_) {
    auto& external = graph.externals.emplace_back();
    external.kind = ValueExternal::Kind::SERVICE;
    external.id = capabilities.size();
    external.label = "globalOutbound";
    capabilities.add(*outbound);
    where = static_cast<uint32_t>(graph.externals.size());
  }
  writePayload(kj::mv(graph), env, wire::PAYLOAD_BYTES_MAX, [&](const ValueExternal& external) { return capabilities[external.id]; });
  return where;
}

}  // namespace glovebox::project
