#include "tools/project/stack-mapper.h"

#include <kj/debug.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <optional>

#include "ipc/limits-message.h"
#include "ipc/payload.h"
#include "ipc/return-reader.h"
#include "ipc/value-check.h"
#include "ipc/value-graph.h"
#include "ipc/value-json.h"
#include "tools/cli/terminal.h"
#include "tools/project/request-writer.h"

namespace glovebox::project {
namespace {

using cli::ModuleOrigin;

constexpr const char* COMPATIBILITY_DATE = "2026-03-01";
constexpr const char* BUNDLE_NAME = "typescript.js";

// A map of 5 MB and a million segments takes 0.2 s the first time, with the start of the worker.
constexpr WorkerLimits MAPPER_LIMITS{.cpuMs = 2'000, .wallMs = 20'000};
// They travel in one call.
constexpr size_t ORIGINS_BYTES_MAX = 24 << 20;
// Who throws faster than this can tell gets its stacks as they are.
constexpr size_t WAITING_MAX = 64;
constexpr size_t FILE_BYTES_MAX = 1024;

const char* nameOf(ModuleOrigin::Made made) {
  switch (made) {
    case ModuleOrigin::Made::AS_IS: return "asIs";
    case ModuleOrigin::Made::STRIPPED: return "stripped";
    case ModuleOrigin::Made::LINKED: return "linked";
  }
  return "asIs";
}

size_t bytesOf(const ModuleOrigin& origin) {
  auto bytes = origin.source.size() + origin.map.size();
  if (origin.names != nullptr) {
    for (auto& name: *origin.names) bytes += name.size();
  }
  return bytes;
}

bool isText(const ModuleOrigin& origin) { return isUtf8(origin.source) && isUtf8(origin.map) && isUtf8(origin.file); }

// A file's name in one line of a log, and no more than that.
std::optional<std::string> tryPlace(const rapidjson::Value& place) {
  if (!place.IsArray() || place.Size() != 3 || !place[0].IsString() || !place[1].IsUint() || !place[2].IsUint()) return std::nullopt;
  std::string file(place[0].GetString(), place[0].GetStringLength());
  if (file.empty() || file.size() > FILE_BYTES_MAX || file.find_first_of("\n\t") != std::string::npos || cli::escapeControls(file) != file) return std::nullopt;
  return file + ":" + std::to_string(place[1].GetUint()) + ":" + std::to_string(place[2].GetUint());
}

}  // namespace

struct StackMapper::Job {
  std::string text;
  std::vector<StackPlace> places;
  std::vector<Origin> origins;    // of each place
  bool isSecond = false;

  // The answer is what a worker wrote. False: it has to be given the origins again.
  bool read(const ValueGraph& graph) {
    rapidjson::Document answer;
    std::string json;
    auto refused = kj::runCatchingExceptions([&]() { json = stringifyJson(graph); });
    if (refused != nullptr) return true;
    answer.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
    if (answer.HasParseError() || !answer.IsObject()) return true;
    if (answer.HasMember("unknown")) return false;
    auto found = answer.FindMember("places");
    if (found == answer.MemberEnd() || !found->value.IsArray() || found->value.Size() != places.size()) return true;
    std::string mapped;
    size_t done = 0;
    for (rapidjson::SizeType i = 0; i < found->value.Size(); i++) {
      auto words = tryPlace(found->value[i]);
      if (!words) continue;
      mapped.append(text, done, places[i].begin - done);
      mapped += *words;
      done = places[i].end;
    }
    text = mapped + text.substr(done);
    return true;
  }
};

StackMapper::StackMapper(rpc::Supervisor::Client supervisor, ReadBundle readBundle)
    : supervisor_(kj::mv(supervisor)), readBundle_(std::move(readBundle)), last_(kj::Promise<void>(kj::READY_NOW).fork()) {}

kj::Maybe<kj::Promise<std::string>> StackMapper::tryMap(std::string text, const cli::ModuleOrigins& origins) {
  auto job = std::make_shared<Job>();
  size_t bytes = 0;
  std::set<const ModuleOrigin*> counted;
  for (auto& place: findPlaces(text, origins)) {
    auto& origin = *place.origin;
    if (refused_.contains(origin)) continue;
    if (!given_.contains(origin) && !isText(*origin)) {
      refused_.insert(origin);
      continue;
    }
    if (counted.insert(origin.get()).second) bytes += bytesOf(*origin);
    job->places.push_back(place);
    job->origins.push_back(origin);
  }
  if (job->places.empty() || waiting_ >= WAITING_MAX || bytes > ORIGINS_BYTES_MAX) return nullptr;
  job->text = std::move(text);
  waiting_++;
  last_ = last_.addBranch()
              .then([this, job]() { return ask(job); })
              .then([this]() { waiting_--; },
                    [this](kj::Exception&&) {
                      // The supervisor is lost, or ending; or the installation's file.
                      forget();
                      waiting_--;
                    })
              .fork();
  return last_.addBranch().then([job]() { return std::move(job->text); });
}

kj::Promise<void> StackMapper::ask(std::shared_ptr<Job> job) {
  RequestWriter writer;
  std::vector<NodeRef> origins, places;
  std::set<Origin> fresh;
  if (worker_ == nullptr) worker_ = load();
  for (auto& origin: job->origins) {
    if (given_.contains(origin)) continue;
    given_[origin] = nextId_;
    fresh.insert(origin);
    std::vector<NodeRef> names;
    if (origin->names != nullptr) {
      for (auto& name: *origin->names) names.push_back(writer.text(name));
    }
    auto property = [&](const char* name, NodeRef value) { return ValueProperty{writer.text(name), value}; };
    origins.push_back(writer.object({
        property("id", writer.number(nextId_++)), property("name", writer.text(origin->module)), property("file", writer.text(origin->file)),
        property("made", writer.text(nameOf(origin->made))), property("source", writer.text(origin->source)),
        property("names", writer.array(std::move(names))), property("map", writer.text(origin->map)),
    }));
  }
  for (size_t i = 0; i < job->places.size(); i++) {
    auto& place = job->places[i];
    places.push_back(writer.array({writer.number(given_[job->origins[i]]), writer.number(place.line), writer.number(place.column)}));
  }
  auto originsRef = writer.array(std::move(origins)), placesRef = writer.array(std::move(places));
  auto object = writer.object({{writer.text("origins"), originsRef}, {writer.text("places"), placesRef}});

  auto target = KJ_ASSERT_NONNULL(worker_).getEntrypointRequest().send().getEntrypoint();
  auto call = target.callRequest();
  call.initPath(1).set(0, "places");
  writePayload(std::move(writer).arguments(object), call.getOperation().initInvoke());
  return call.send()
      .then([](auto&& response) { return readReturn(kj::mv(response)); })
      .then([this, job, allFresh = std::all_of(job->origins.begin(), job->origins.end(), [&](auto& origin) { return fresh.contains(origin); })](CallOutcome&& outcome) mutable -> kj::Promise<void> {
        if (outcome.is<CallValue>() && job->read(outcome.get<CallValue>().graph)) return kj::READY_NOW;
        forget();   // whatever state it is in
        if (!job->isSecond && !allFresh) {
          // It may have ended between two stacks, as an idle worker does.
          job->isSecond = true;
          return ask(kj::mv(job));
        }
        refused_.insert(job->origins.begin(), job->origins.end());
        return kj::READY_NOW;
      });
}

rpc::Worker::Client StackMapper::load() {
  auto request = supervisor_.loaderRequest().send().getLoader().loadRequest();
  auto code = request.initCode();
  code.setCompatibilityDate(COMPATIBILITY_DATE);
  code.setMainModule(BUNDLE_NAME);
  cli::setModules({{BUNDLE_NAME, cli::ModuleType::JS, readBundle_()}}, code);
  writeLimits(MAPPER_LIMITS, code.initLimits());
  return request.send().getWorker();
}

void StackMapper::forget() {
  worker_ = nullptr;
  given_.clear();
}

}  // namespace glovebox::project
