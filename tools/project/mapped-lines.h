#pragma once
// What is to be shown, in the order in which it came, though some of it has stacks in it that take a moment to be mapped (tools/project/stack-mapper.h).

#include <kj/async.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/project/stack-mapper.h"

namespace glovebox::project {

class MappedLines {
 public:
  MappedLines() = default;
  ~MappedLines() noexcept(false) { mapNoMore(); }
  KJ_DISALLOW_COPY(MappedLines);

  // From now on, until mapNoMore(); `mapper` is there for as long. Without one, everything is shown as it is.
  void mapWith(StackMapper& mapper);
  // What still waits is shown as it is.
  void mapNoMore();

  using Show = std::function<void(std::string text)>;
  // At once, if it can be. `origins`: of the worker whose words these are.
  void add(std::string text, const cli::ModuleOrigins& origins, Show show);
  // All that was added is shown.
  kj::Promise<void> whenShown();

 private:
  struct Line {
    std::string text;
    Show show;
    bool isReady;
  };
  struct Handler final: public kj::TaskSet::ErrorHandler {
    void taskFailed(kj::Exception&& exception) override;
  };
  struct Mapping {
    explicit Mapping(StackMapper& mapper): mapper(mapper), tasks(handler) {}
    StackMapper& mapper;
    Handler handler;
    kj::TaskSet tasks;
  };

  std::deque<std::shared_ptr<Line>> waiting_;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> toTell_;
  kj::Maybe<kj::Own<Mapping>> mapping_;

  void showReady();
  void showAll();
};

}  // namespace glovebox::project
