// An agent that answers with two tools of this program and nothing else of this machine.
//
//   tools/glovebox serve --socket /tmp/glovebox.sock &
//   build/examples/cpp/tools /tmp/glovebox.sock

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "client/cpp/glovebox.h"

using namespace glovebox::client;

namespace {

// What a model would write.
const char* const AGENT = R"(
  export default {
    async buy(list, env) {
      const prices = await Promise.all(list.map((name) => env.SHOP.price(name)));
      const total = prices.reduce((sum, price) => sum + price, 0);
      console.log("it comes to", total);
      await env.NOTES.write(`Bought ${list.join(" and ")}`);
      return { total };
    },
  };
)";

Tool makeShop() {
  static const std::map<std::string, double> PRICES{{"apple", 2}, {"pear", 3.5}};
  Tool shop;
  shop.method("price", [](Arguments arguments) -> Value {
    auto price = PRICES.find(arguments[0].asString());   // a TypeError in the agent, if it is no string
    if (price == PRICES.end()) throw Thrown("RangeError", "we have no " + arguments[0].asString(), "E_UNKNOWN");
    return price->second;
  });
  return shop;
}

Tool makeNotes(std::vector<std::string>& notes) {
  Tool tool;
  tool.method("write", [&notes](Arguments arguments) -> Value {
    notes.push_back(arguments[0].asString());
    return {};
  });
  return tool;
}

void run(const char* socketPath) {
  glovebox::UvLoop loop;
  glovebox::UvEventPort port(loop.get());
  auto client = Client::connect(port, socketPath);

  std::vector<std::string> notes;
  auto worker = client.load({
      .compatibilityDate = "2026-03-01",
      .modules = {{"agent.js", AGENT}},
      .env = Value::object({{"SHOP", makeShop().serve()}, {"NOTES", makeNotes(notes).serve()}}),
      .limits = {.cpuMs = 100, .wallMs = 1000},
      .console = [](const LogLine& line) { printf("log: %s\n", line.text.c_str()); },
  });
  auto agent = worker.entrypoint();

  auto result = agent.call("buy", {Value::array({"apple", "pear"})}).wait(port.waitScope());
  printf("result: %s\n", result.toJson().c_str());
  for (auto& note: notes) printf("note: %s\n", note.c_str());

  try {
    agent.call("buy", {Value::array({"moon"})}).wait(port.waitScope());
  } catch (const Thrown& thrown) {
    printf("thrown: %s: %s (%s)\n", thrown.name.c_str(), thrown.message.c_str(), thrown.code.c_str());
  } catch (const Ended& ended) {
    printf("ended: %s\n", ended.message.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: tools SOCKET     (of a `glovebox serve --socket SOCKET`)\n");
    return 2;
  }
  try {
    run(argv[1]);
  } catch (const kj::Exception& exception) {
    fprintf(stderr, "tools: %s\n", exception.getDescription().cStr());
    return 1;
  }
  return 0;
}
