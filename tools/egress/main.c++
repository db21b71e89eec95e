// glovebox-egress: requests of workers to the internet, and nothing else in reach.
//
// Whoever starts it hands it, as descriptor 3, a Unix stream socket on which it asks for an EgressHost (ipc/egress.capnp).
//
// Order: flags, policy, what it needs of files (roots of trust, name servers), jail, seal, `started`, requests.

#include <capnp/rpc-twoparty.h>
#include <fcntl.h>
#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/compat/tls.h>
#include <kj/debug.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "ipc/egress.capnp.h"
#include "policy/confine-gateway.h"
#include "policy/egress-syscalls.h"
#include "policy/filter-compiler.h"
#include "tools/egress/fetcher.h"
#include "tools/egress/limits.h"
#include "tools/gateway/jailed-program.h"

using namespace glovebox;
using gateway::EXIT_USAGE;
using gateway::JailedProgram;

namespace {

// Where distributions keep the roots that they trust, all in one file.
constexpr const char* ROOT_FILES[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

JailedProgram program("glovebox-egress");

policy::LayerSet parse(int argc, char** argv) {
  CLI::App app("Makes requests for workers. Started with a Unix stream socket as descriptor 3.");
  std::vector<std::string> missing;
  app.add_option("--allow-missing", missing, "Start without this layer of the jail");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    exit(app.exit(e) == 0 ? 0 : EXIT_USAGE);
  }
  return program.parseLayers(missing);
}

void expectDescriptors() {
  program.expectLine();
  rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0 && descriptors.rlim_max < egress::DESCRIPTORS_MAX) {
    program.fail(EXIT_USAGE, "it takes " + std::to_string(egress::DESCRIPTORS_MAX) + " descriptors, and this process may have " +
                             std::to_string(descriptors.rlim_max) + " (ulimit -Hn)");
  }
}

// Each certificate of a file by itself: what is broken among a machine's own is left out, of what was given by hand it is an error.
std::vector<kj::TlsCertificate> readCertificates(const std::string& pem, bool mayBeBroken) {
  constexpr std::string_view BEGIN = "-----BEGIN CERTIFICATE-----", END = "-----END CERTIFICATE-----";
  std::vector<kj::TlsCertificate> certificates;
  for (size_t from = 0; (from = pem.find(BEGIN, from)) != std::string::npos;) {
    auto end = pem.find(END, from);
    if (end == std::string::npos) break;
    end += END.size();
    auto one = pem.substr(from, end - from) + "\n";
    KJ_IF_MAYBE(e, kj::runCatchingExceptions([&]() { certificates.emplace_back(kj::StringPtr(one.c_str())); })) {
      if (!mayBeBroken) kj::throwFatalException(kj::mv(*e));
    }
    from = end;
  }
  return certificates;
}

kj::Own<kj::TlsContext> makeTls(const std::string& authorities) {
  std::vector<kj::TlsCertificate> trusted;
  for (auto path : ROOT_FILES) {
    std::ifstream file(path);
    if (!file) continue;
    std::stringstream text;
    text << file.rdbuf();
    trusted = readCertificates(text.str(), true);
    break;
  }
  auto own = readCertificates(authorities, false);
  KJ_REQUIRE(authorities.empty() || !own.empty(), "there is no certificate in the authorities that were given");
  for (auto& certificate : own) trusted.push_back(kj::mv(certificate));
  kj::TlsContext::Options options;
  options.useSystemTrustStore = false;   // OpenSSL would look for files when a server shows its certificate
  options.trustedCertificates = kj::arrayPtr(trusted.data(), trusted.size());
  return kj::heap<kj::TlsContext>(kj::mv(options));
}

std::string joined(capnp::List<capnp::Text>::Reader texts) {
  std::string all;
  for (auto text : texts) all += (all.empty() ? "" : ",") + std::string(text.begin(), text.size());
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  auto mayMiss = parse(argc, argv);
  expectDescriptors();
  program.keepOnlyWhatIsNeeded(policy::EGRESS_LINE + 1);
  // Certificates have times. There will be no files to look time zones up in; asked once now, the C library never asks again.
  setenv("TZ", "UTC", 1);
  tzset();
  auto io = kj::setupAsyncIo();
  auto line = io.lowLevelProvider->wrapSocketFd(kj::AutoCloseFd(policy::EGRESS_LINE));
  capnp::TwoPartyClient client(*line);
  auto host = client.bootstrap().castAs<rpc::EgressHost>();

  std::vector<sock_filter> filter;
  kj::Maybe<kj::Own<egress::EgressPolicy>> policy;
  kj::Maybe<kj::Own<egress::Resolver>> resolver;
  kj::Maybe<kj::Own<kj::TlsContext>> tls;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() {
    auto answer = host.policyRequest().send().wait(io.waitScope);
    auto given = answer.getPolicy();
    policy = kj::heap<egress::EgressPolicy>(given);
    resolver = kj::heap<egress::Resolver>(io.unixEventPort, io.provider->getTimer(), joined(given.getNameservers()));
    tls = makeTls({given.getAuthorities().begin(), given.getAuthorities().size()});
    filter = policy::compileFilter(policy::EGRESS_SYSCALLS, policy::Profile::DEFAULT);
  })) {
    program.fail(EXIT_USAGE, exception->getDescription().cStr());
  }
  auto& known = *KJ_ASSERT_NONNULL(policy);
  auto ports = known.ports();
  if (!ports.empty()) {
    for (auto port : KJ_ASSERT_NONNULL(resolver)->ports()) ports.push_back(port);
  }

  policy::GatewayConfinement confinement;
  confinement.descriptorsMax = egress::DESCRIPTORS_MAX;
  confinement.dataBytesMax = egress::DATA_BYTES_MAX;
  confinement.filter = filter.data();
  confinement.filterLength = static_cast<uint16_t>(filter.size());
  confinement.mayMiss = mayMiss;
  confinement.connects = true;
  confinement.ports = ports.data();
  confinement.portCount = ports.size();
  policy::LayerSet inForce;
  program.must(policy::enterGatewayJail(confinement, inForce));
  // So that nothing is left to be set up behind the seal: the loop has gone round once.
  io.provider->getTimer().afterDelay(0 * kj::SECONDS).wait(io.waitScope);
  program.must(policy::sealGateway(confinement, inForce));
  program.fallSilent();
  gateway::Silence silence;

  egress::Network network{*io.lowLevelProvider, io.provider->getTimer(), *KJ_ASSERT_NONNULL(resolver), *KJ_ASSERT_NONNULL(tls), known};
  rpc::Target::Client outbound = kj::heap<egress::Fetcher>(network);   // until the end, whoever else holds it
  auto started = host.startedRequest();
  started.setLayersInForce(inForce.bits());
  started.setOutbound(outbound);
  // Without its parent there is nobody to ask for anything.
  started.send().ignoreResult().then([]() -> kj::Promise<void> { return kj::NEVER_DONE; }).exclusiveJoin(client.onDisconnect()).wait(io.waitScope);
  _exit(0);
}
