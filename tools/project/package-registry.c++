#include "tools/project/package-registry.h"

#include <kj/debug.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "ipc/payload.h"
#include "ipc/wire-limits.h"
#include "supervisor/cancellation.h"
#include "tools/cli/failure.h"
#include "tools/egress/destination.h"
#include "tools/gateway/http-message.h"
#include "tools/gateway/request-body.h"
#include "tools/gateway/thrown.h"
#include "tools/project/request-writer.h"

namespace glovebox::project {
namespace {

using cli::Failure;

// Documents of some packages have 50 MB, by registries that know no short form.
constexpr size_t BODY_BYTES_MAX = 96u << 20;
// What is larger does not fit into one answer to a worker, or hardly.
constexpr size_t STREAMED_BYTES = 16u << 20;
constexpr kj::Duration FETCH_TIMEOUT = 60 * kj::SECONDS;
// Of one project.
constexpr size_t REQUESTS_MAX = 10'000;
constexpr size_t BYTES_MAX = 1u << 30;
// At once; the bundler asks for 12. Each may hold a body.
constexpr int REQUESTS_AT_ONCE_MAX = 16;
// How long a document is taken for what the registry would say: npm's is as long, by the header that its registry sends.
constexpr int64_t FRESH_MS = 300'000;
// After a failure, what is kept is used for so long without asking again.
constexpr int64_t DOWN_MS = 30'000;

constexpr size_t NAME_BYTES_MAX = 214, VERSION_BYTES_MAX = 256, INTEGRITY_BYTES_MAX = 1024, URL_BYTES_MAX = 2048;

// A refusal, with exactly these words. DISCONNECTED: the registry could not be reached.
kj::Exception refusal(const std::string& words, kj::Exception::Type type = kj::Exception::Type::FAILED) {
  return kj::Exception(type, __FILE__, __LINE__, kj::heapString(words.data(), words.size()));
}

int64_t nowMs() { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

bool isAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// "name" or "@scope/name".
bool isName(std::string_view name) {
  if (name.size() > NAME_BYTES_MAX) return false;
  auto isPart = [](std::string_view part) {
    return !part.empty() && part[0] != '.' && std::ranges::all_of(part, [](char c) { return isAlphanumeric(c) || c == '.' || c == '_' || c == '~' || c == '-'; });
  };
  if (!name.starts_with('@')) return isPart(name);
  auto slash = name.find('/');
  return slash != std::string_view::npos && isPart(name.substr(1, slash - 1)) && isPart(name.substr(slash + 1));
}

// "1.2.3", "1.2.3-beta.1+build".
bool isVersion(std::string_view version) {
  if (version.size() > VERSION_BYTES_MAX) return false;
  int numbers = 0;
  size_t at = 0;
  while (numbers < 3) {
    auto begin = at;
    while (at < version.size() && version[at] >= '0' && version[at] <= '9') at++;
    if (at == begin) return false;
    if (++numbers < 3 && (at >= version.size() || version[at++] != '.')) return false;
  }
  auto rest = version.substr(at);
  return rest.empty() || ((rest[0] == '-' || rest[0] == '+') && rest.size() > 1 &&
                          std::ranges::all_of(rest.substr(1), [](char c) { return isAlphanumeric(c) || c == '.' || c == '-' || c == '+'; }));
}

std::string inQuotes(const std::string& text) {
  std::string words = "\"";
  for (char c: text.substr(0, 100)) words += c < ' ' || c == 0x7f ? '?' : c;
  return words + "\"";
}

// What collects a body, up to a size.
class Collector final: public kj::AsyncOutputStream {
 public:
  explicit Collector(const std::string& url): url_(url) {}
  std::string body;

  kj::Promise<void> write(const void* buffer, size_t size) override {
    if (body.size() + size > BODY_BYTES_MAX) return refusal(url_ + " has more than " + std::to_string(BODY_BYTES_MAX >> 20) + " MiB, which is the most that is taken.");
    body.append(static_cast<const char*>(buffer), size);
    return kj::READY_NOW;
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    for (auto piece: pieces) {
      auto written = write(piece.begin(), piece.size());
      if (body.size() > BODY_BYTES_MAX - piece.size()) return written;
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }

 private:
  const std::string url_;
};

class BytesStream final: public kj::AsyncInputStream {
 public:
  explicit BytesStream(std::string bytes): bytes_(std::move(bytes)) {}
  kj::Promise<size_t> tryRead(void* buffer, size_t, size_t max) override {
    auto size = std::min(max, bytes_.size() - at_);
    memcpy(buffer, bytes_.data() + at_, size);
    at_ += size;
    return size;
  }

 private:
  const std::string bytes_;
  size_t at_ = 0;
};

}  // namespace

std::string checkRegistryUrl(const std::string& text, const std::string& what) {
  // As URLs are written; scheme and host know no case.
  auto lower = text;
  auto authority = lower.find("://");
  auto end = authority == std::string::npos ? 0 : std::min(lower.find_first_of("/?#", authority + 3), lower.size());
  std::transform(lower.begin(), lower.begin() + static_cast<ptrdiff_t>(end), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  auto parsed = egress::parseDestination(lower);
  auto destination = std::get_if<egress::Destination>(&parsed);
  if (destination == nullptr || lower.find_first_of("?#") != std::string::npos) {
    throw Failure(cli::EXIT_CODE_USAGE, what + " is " + inQuotes(text) + ", expected an address of a package registry that begins with https:// or http:// and has no password, query or fragment");
  }
  auto url = destination->origin() + destination->target;
  return url.ends_with('/') ? url : url + "/";
}

class PackageRegistry::ForWorker final: public rpc::Target::Server {
 public:
  explicit ForWorker(kj::Own<PackageRegistry> registry): registry_(kj::mv(registry)) {}

 protected:
  kj::Promise<void> call(CallContext context) override {
    allowCancellation(context);
    auto call = context.getParams();
    auto path = call.getPath();
    bool isCall = path.size() == 1 && call.getOperation().isInvoke();
    std::string method = isCall ? path[0].cStr() : "";
    if (method != "packument" && method != "tarball") return thrown(context, refusal("The registry has two methods, packument() and tarball()."));
    if (++requests_ > REQUESTS_MAX) return thrown(context, refusal("One project may ask the registry " + std::to_string(REQUESTS_MAX) + " times."));
    if (underWay_ >= REQUESTS_AT_ONCE_MAX) return thrown(context, refusal("The registry may be asked " + std::to_string(REQUESTS_AT_ONCE_MAX) + " things at once."));
    underWay_++;
    return readPayload(call.getOperation().getInvoke())
        .then([this, context, method](ReceivedValue&& value) mutable { return method == "packument" ? packument(context, value.graph) : tarball(context, value.graph); })
        .catch_([this, context](kj::Exception&& exception) mutable { return thrown(context, exception); })
        .attach(kj::defer([this]() { underWay_--; }));
  }

 private:
  kj::Own<PackageRegistry> registry_;
  size_t requests_ = 0, bytes_ = 0;
  int underWay_ = 0;

  static kj::Promise<void> thrown(CallContext& context, const kj::Exception& exception) {
    gateway::answerThrown(context.getResults(), exception.getDescription());
    return kj::READY_NOW;
  }

  // Empty if it is none.
  static std::string textAt(const ValueGraph& graph, size_t index) {
    auto& root = graph.nodes[0];
    if (root.kind != ValueNode::Kind::ARRAY || index >= root.items.size() || root.items[index] == NO_NODE) return "";
    auto& node = graph.nodes[root.items[index]];
    return node.kind == ValueNode::Kind::TEXT ? node.bytes : "";
  }

  static std::string nameIn(const ValueGraph& graph) {
    auto name = textAt(graph, 0);
    if (!isName(name)) kj::throwFatalException(refusal(inQuotes(name) + " is no name of a package."));
    return name;
  }

  kj::Promise<void> packument(CallContext& context, const ValueGraph& graph) {
    return registry_->document(nameIn(graph)).then([this, context, tag = textAt(graph, 1)](PackageDocument&& document) mutable {
      bool isKnown = tag == document.hash;
      answer(context, isKnown ? "" : std::move(document.body), [&](RequestWriter& writer, NodeRef body) {
        return writer.object({{writer.text("tag"), writer.text(document.hash)}, {writer.text("body"), isKnown ? writer.nil() : body}});
      });
    });
  }

  kj::Promise<void> tarball(CallContext& context, const ValueGraph& graph) {
    auto name = nameIn(graph), version = textAt(graph, 1), integrity = textAt(graph, 2), url = textAt(graph, 3);
    if (!isVersion(version)) return refusal(inQuotes(version) + " is no version of a package.");
    auto hash = integrity.size() <= INTEGRITY_BYTES_MAX ? Integrity::tryParse(integrity) : std::nullopt;
    if (!hash) return refusal(inQuotes(integrity) + " is no integrity hash for " + name + "@" + version + "; expected sha512-..., or sha384 or sha256.");
    return registry_->tarball(std::move(name), std::move(version), *hash, url.size() <= URL_BYTES_MAX ? url : "").then([this, context](std::string&& body) mutable {
      answer(context, std::move(body), [](RequestWriter&, NodeRef body) { return body; });
    });
  }

  template <typename Shape>
  void answer(CallContext& context, std::string body, Shape&& shape) {
    bytes_ += body.size();
    if (bytes_ > BYTES_MAX) kj::throwFatalException(refusal("One project may get " + std::to_string(BYTES_MAX >> 20) + " MiB from the registry."));
    RequestWriter writer;
    bool streamed = body.size() > STREAMED_BYTES;
    auto node = streamed ? writer.stream("body") : writer.bytes(body);
    auto root = shape(writer, node);
    kj::Maybe<rpc::Target::Client> stream;
    if (streamed) stream = kj::refcounted<gateway::RequestBody>(kj::heap<BytesStream>(std::move(body)), "The body ended early."_kj)->capability();
    writePayload(std::move(writer).value(root), context.getResults().initValue(), wire::INLINE_BYTES,
                 [&](const ValueExternal&) -> capnp::Capability::Client { return KJ_ASSERT_NONNULL(stream); });
  }
};

PackageRegistry::PackageRegistry(PackageCache cache, kj::Timer& timer, std::string url, bool offline, Fetcher fetcher)
    : cache_(std::move(cache)), timer_(timer), url_(std::move(url)), offline_(offline), fetcher_(kj::mv(fetcher)), largeChunks_(uint64_t{REQUESTS_AT_ONCE_MAX} * wire::PAYLOAD_BYTES_MAX) {}

rpc::Target::Client PackageRegistry::forWorker() { return kj::heap<ForWorker>(kj::addRef(*this)); }

kj::Promise<PackageDocument> PackageRegistry::document(std::string name) {
  auto kept = cache_.document(url_, name);
  if (kept && (offline_ || nowMs() - kept->timeMs < FRESH_MS || nowMs() - downSinceMs_ < DOWN_MS)) return std::move(*kept);
  if (offline_) return refusal("The package \"" + name + "\" of the registry " + url_ + " is not in the cache (" + cache_.folder().string() + "), and --offline asks nobody.");
  Headers headers{{"accept", "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"}};
  if (kept && !kept->etag.empty()) headers.emplace_back("if-none-match", kept->etag);
  auto slash = name.find('/');
  auto escaped = slash == std::string::npos ? name : name.substr(0, slash) + "%2f" + name.substr(slash + 1);
  return get(url_ + escaped, std::move(headers))
      .then([this, name, kept](Fetched&& answer) -> kj::Promise<PackageDocument> {
        if (answer.status == 304 && kept) return cache_.keepDocument(url_, name, kept->etag, nowMs(), kept->body);
        if (answer.status == 404) return refusal("The registry " + url_ + " has no package \"" + name + "\".");
        if (answer.status != 200) return refusal("The registry " + url_ + " answered " + std::to_string(answer.status) + " when asked for the package \"" + name + "\".");
        return cache_.keepDocument(url_, name, std::move(answer.etag), nowMs(), std::move(answer.body));
      }, [this, kept](kj::Exception&& exception) mutable -> kj::Promise<PackageDocument> {
        if (!kept || exception.getType() != kj::Exception::Type::DISCONNECTED) return kj::mv(exception);
        downSinceMs_ = nowMs();
        return std::move(*kept);
      });
}

kj::Promise<std::string> PackageRegistry::tarball(std::string name, std::string version, Integrity integrity, std::string said) {
  auto kept = cache_.tarball(integrity);
  if (kept) return std::move(*kept);
  auto what = name + "@" + version;
  if (offline_) return refusal("The tarball of " + what + " is not in the cache (" + cache_.folder().string() + "), and --offline asks nobody.");
  // Where the registry says that it is, if that is the registry; otherwise where registries have it.
  auto parsed = egress::parseDestination(said);
  auto destination = std::get_if<egress::Destination>(&parsed);
  bool isThere = said.starts_with(url_) && destination != nullptr && destination->origin() + destination->target == said && said.find("/.") == std::string::npos && said.find('%') == std::string::npos;
  auto where = isThere ? said : url_ + name + "/-/" + name.substr(name.find('/') == std::string::npos ? 0 : name.find('/') + 1) + "-" + version + ".tgz";
  return get(std::move(where), {{"accept", "application/octet-stream, */*"}}).then([this, what, integrity](Fetched&& answer) -> kj::Promise<std::string> {
    if (answer.status != 200) return refusal("The registry " + url_ + " answered " + std::to_string(answer.status) + " when asked for the tarball of " + what + ".");
    if (!integrity.fits(answer.body)) {
      return refusal("The tarball of " + what + " is not what was published: its hash is not " + integrity.text() + ", which the lock file or the registry says.");
    }
    cache_.keepTarball(integrity, answer.body);
    return std::move(answer.body);
  });
}

// -- Fetching ----------------------------------------------------------------------------------------------------------------------

kj::Promise<PackageRegistry::Fetched> PackageRegistry::get(std::string url, Headers headers) {
  std::vector<gateway::Field> fields;
  for (auto& [name, value]: headers) fields.push_back({name, value});
  if (fetcher_ == nullptr) return refusal("The registry is not asked any more.");
  auto call = KJ_ASSERT_NONNULL(fetcher_)().callRequest();
  call.initPath(1).set(0, "fetch");
  writePayload(gateway::writeRequest("GET", url, fields, gateway::NoBody()), call.getOperation().initInvoke());
  auto fetched = call.send().then([](auto&& response) { return readReturn(kj::mv(response)); })
      .then([this, url](CallOutcome&& outcome) { return readAnswer(url, kj::mv(outcome)); });
  return timer_.timeoutAfter(FETCH_TIMEOUT, kj::mv(fetched)).then([this, url](Fetched&& answer) -> kj::Promise<Fetched> {
    if (answer.status >= 500) return refusal(url + " answered " + std::to_string(answer.status) + ".", kj::Exception::Type::DISCONNECTED);
    if (answer.status >= 300 && answer.status < 400 && answer.status != 304) {
      return refusal("The registry " + url_ + " sends " + url + " on to " + inQuotes(answer.location) + ", and redirects of a registry are not followed. If packages come from there, name that: --registry URL");
    }
    // Nobody asked for that, and a cache keeps what can be read.
    if (!answer.encoding.empty() && answer.encoding != "identity") return refusal(url + " was answered with the encoding " + inQuotes(answer.encoding) + ", which was not asked for.");
    return kj::mv(answer);
  }, [url](kj::Exception&& exception) -> kj::Promise<Fetched> {
    if (exception.getType() == kj::Exception::Type::FAILED) return kj::mv(exception);
    if (exception.getType() != kj::Exception::Type::OVERLOADED) return refusal(url + " could not be fetched: " + exception.getDescription().cStr(), kj::Exception::Type::DISCONNECTED);
    return refusal(url + " could not be fetched: there was no whole answer in " + std::to_string(FETCH_TIMEOUT / kj::SECONDS) + " seconds.", kj::Exception::Type::DISCONNECTED);
  });
}

kj::Promise<PackageRegistry::Fetched> PackageRegistry::readAnswer(std::string url, CallOutcome outcome) {
  auto unreachable = [](const std::string& words) { return refusal(words, kj::Exception::Type::DISCONNECTED); };
  if (outcome.is<CallThrown>()) {
    auto& graph = outcome.get<CallThrown>().graph;
    auto message = graph.nodes[0].kind == ValueNode::Kind::ERROR ? graph.nodes[0].ref : NO_NODE;
    return unreachable(message != NO_NODE && graph.nodes[message].kind == ValueNode::Kind::TEXT ? graph.nodes[message].bytes : "it failed.");
  }
  if (!outcome.is<CallValue>()) return unreachable("the egress process ended.");
  auto& value = outcome.get<CallValue>();
  auto read = gateway::readAnswer(std::move(value.graph));
  auto answer = std::get_if<gateway::Answer>(&read);
  if (answer == nullptr || answer->socket) return unreachable("the answer cannot be read.");
  Fetched fetched;
  fetched.status = answer->status;
  for (auto& field: answer->fields) {
    if (field.name == "etag") fetched.etag = field.value;
    if (field.name == "location") fetched.location = field.value;
    if (field.name == "content-encoding") fetched.encoding = field.value;
  }
  if (auto whole = std::get_if<gateway::WholeBody>(&answer->body)) fetched.body = std::move(whole->bytes);
  auto streamed = std::get_if<gateway::StreamedBody>(&answer->body);
  // What is no document and no tarball is not read.
  if (streamed == nullptr || answer->status != 200) return kj::mv(fetched);
  auto collector = kj::heap<Collector>(url);
  auto& to = *collector;
  return gateway::sendStream(value.capabilities[streamed->external].castAs<rpc::Target>(), to, std::nullopt, largeChunks_)
      .then([fetched = std::move(fetched), collector = kj::mv(collector)]() mutable {
        fetched.body = std::move(collector->body);
        return std::move(fetched);
      });
}

}  // namespace glovebox::project
