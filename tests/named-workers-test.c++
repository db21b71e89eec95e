// Named workers of a whole supervisor: thousands of names under a budget of memory, by the kernel's account, and each of them
// right when it is called again.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "supervisor/process-memory.h"
#include "tests/world.h"

namespace glovebox::test {
namespace {

constexpr int NAMES = 5'000;
constexpr uint32_t BUDGET_MB = 512;
// Names whose code is asked for, or whose first call is under way, at once.
constexpr size_t AT_ONCE = 4;
// What is over the budget for a moment: those which are being made (they are estimated until they have fallen idle), and those
// which have been killed and whose memory the kernel has not taken back yet. On two busy processors that was 33 MiB once.
constexpr uint64_t SLACK_BYTES = uint64_t{32} << 20;
constexpr int SAMPLE_EVERY = 250;

std::string nameOf(int i) { return "tenant-" + std::to_string(i); }

// Gives code that knows its name, and counts how often it was asked for.
class Factory final: public rpc::WorkerFactory::Server {
 public:
  Factory(int name, int& asked): name_(name), asked_(asked) {}

  kj::Promise<void> code(CodeContext context) override {
    asked_++;
    auto code = context.getResults().initCode();
    code.setCompatibilityDate("2026-03-01");
    code.setMainModule("m.js");
    auto module = code.initModules(1)[0];
    module.setName("m.js");
    auto text = "let calls = 0; export default { run() { return '" + nameOf(name_) + " ' + ++calls; } };";
    module.setJs(text.c_str());
    return kj::READY_NOW;
  }

 private:
  const int name_;
  int& asked_;
};

class NamedWorkersTest: public testing::Test {
 protected:
  ~NamedWorkersTest() noexcept override {}
  World world{[]() {
    SupervisorOptions options;
    options.namedMemoryMbMax = BUDGET_MB;
    return options;
  }()};
  int asked = 0;

  rpc::Worker::Client get(int i) {
    auto request = world.loader().getRequest();
    request.setName(nameOf(i).c_str());
    request.setFactory(kj::heap<Factory>(i, asked));
    return request.send().getWorker();
  }

  // Of all workers that there are, warm ones and those that are dying included.
  uint64_t privateBytes() {
    uint64_t sum = 0;
    auto warden = static_cast<pid_t>(world.statusNumber("zygote.wardenPid"));
    wardens.insert(warden);
    for (auto each: wardens) {
      for (auto pid: workersOf(each)) sum += privateBytesOf(pid);
    }
    return sum;
  }
  std::set<pid_t> wardens;   // a zygote is replaced after 2,000 forks, and its workers go on
};

TEST_F(NamedWorkersTest, FiveThousandStayUnderTheirBudgetAndComeBackRight) {
  auto seed = std::random_device()();
  printf("seed %u\n", seed);
  std::mt19937 random(seed);

  // What warm workers without code cost is not the names'.
  auto before = privateBytes();
  uint64_t most = 0, mostByStatus = 0;
  std::vector<std::unique_ptr<Agent>> kept;         // an old stub of every tenth name
  std::deque<kj::Promise<Result>> underWay;
  std::deque<int> numbers;
  auto finishOne = [&]() {
    auto result = underWay.front().wait(world.waitScope());
    underWay.pop_front();
    ASSERT_EQ(describe(result), "value \"" + nameOf(numbers.front()) + " 1\"");
    numbers.pop_front();
  };
  for (int i = 0; i < NAMES; i++) {
    Agent agent(world, get(i));
    underWay.push_back(agent.callLater("run", "[null]"));
    numbers.push_back(i);
    if (i % 10 == 0) kept.push_back(std::make_unique<Agent>(kj::mv(agent)));
    if (underWay.size() >= AT_ONCE) finishOne();
    if (i % SAMPLE_EVERY == SAMPLE_EVERY - 1) {
      auto bytes = privateBytes(), byStatus = world.statusNumber("named.memoryBytes");
      most = std::max(most, bytes);
      mostByStatus = std::max(mostByStatus, byStatus);
      ASSERT_LE(bytes, (uint64_t{BUDGET_MB} << 20) + before + SLACK_BYTES) << "after " << i + 1 << " names";
      ASSERT_LE(byStatus, uint64_t{BUDGET_MB} << 20);
    }
  }
  while (!underWay.empty()) finishOne();
  EXPECT_EQ(asked, NAMES);
  auto live = world.statusNumber("named.workers"), evicted = world.statusNumber("named.evictions.memory");
  printf("at most %.1f MiB by the kernel's account (%.1f of them warm workers without code), %.1f by the status; %lu live, %lu evicted\n",
         static_cast<double>(most) / (1 << 20), static_cast<double>(before) / (1 << 20), static_cast<double>(mostByStatus) / (1 << 20),
         static_cast<unsigned long>(live), static_cast<unsigned long>(evicted));
  // It is the budget that held them, and it was used.
  EXPECT_EQ(live + evicted, static_cast<uint64_t>(NAMES));
  EXPECT_GT(evicted, 0u);
  EXPECT_GE(mostByStatus, (uint64_t{BUDGET_MB} << 20) * 3 / 4);

  // Old stubs lead to new workers, or to those that stayed.
  int again = 0, stayed = 0;
  std::shuffle(kept.begin(), kept.end(), random);
  for (size_t i = 0; i < 100; i++) {
    auto before = asked;
    auto result = kept[i]->call("run");
    ASSERT_EQ(result.kind, Result::Kind::VALUE) << describe(result);
    (asked > before ? again : stayed)++;
    auto text = result.json.substr(1, result.json.size() - 2);
    ASSERT_EQ(text.substr(text.find(' ')), asked > before ? " 1" : " 2");
  }
  EXPECT_GT(again, 0);
  printf("of 100 old stubs %d led to a worker that was made again, %d to one that had stayed\n", again, stayed);

  // So do the names.
  for (int n = 0; n < 100; n++) {
    auto i = static_cast<int>(random() % NAMES);
    auto result = Agent(world, get(i)).call("run");
    ASSERT_EQ(result.kind, Result::Kind::VALUE) << describe(result);
    ASSERT_EQ(result.json.rfind("\"" + nameOf(i) + " ", 0), 0u) << result.json;
  }
  EXPECT_LE(privateBytes(), (uint64_t{BUDGET_MB} << 20) + before + SLACK_BYTES);
}

}  // namespace
}  // namespace glovebox::test
