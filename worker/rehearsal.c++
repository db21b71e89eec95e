#include "worker/rehearsal.h"

namespace glovebox {

namespace {

using Kind = ValueNode::Kind;

// A graph grows from the leaves; each returns where it stands.
class Builder {
 public:
  ValueGraph graph;

  explicit Builder(Kind root) { graph.nodes.emplace_back().kind = root; }
  NodeRef text(const char* value) {
    graph.nodes.emplace_back().kind = Kind::TEXT;
    graph.nodes.back().bytes = value;
    return last();
  }
  NodeRef object(const char* key, NodeRef value) {
    auto name = text(key);
    graph.nodes.emplace_back().kind = Kind::OBJECT;
    graph.nodes.back().properties = {{name, value}};
    return last();
  }
  NodeRef stub(uint64_t id) {
    graph.nodes.emplace_back().kind = Kind::EXTERNAL;
    graph.nodes.back().ref = NodeRef(graph.externals.size());
    graph.externals.push_back({ValueExternal::Kind::STUB, true, id, ""});
    return last();
  }
  NodeRef list(std::vector<NodeRef> items) {
    graph.nodes.emplace_back().kind = Kind::ARRAY;
    graph.nodes.back().length = items.size();
    graph.nodes.back().items = std::move(items);
    return last();
  }
  NodeRef bytes(const char* content) {
    graph.nodes.emplace_back().kind = Kind::ARRAY_BUFFER;
    graph.nodes.back().bytes = content;
    auto buffer = last();
    graph.nodes.emplace_back().kind = Kind::VIEW;
    auto& view = graph.nodes.back();
    view.subkind = uint8_t(ViewKind::UINT8);
    view.ref = buffer;
    view.length = graph.nodes[buffer].bytes.size();
    return last();
  }
  NodeRef platform(const char* interface, NodeRef state) {
    graph.nodes.emplace_back().kind = Kind::PLATFORM;
    graph.nodes.back().bytes = interface;
    graph.nodes.back().ref = state;
    return last();
  }
  ValueGraph array(NodeRef item) {
    graph.nodes[0].length = 1;
    graph.nodes[0].items = {item};
    return std::move(graph);
  }

 private:
  NodeRef last() const { return NodeRef(graph.nodes.size() - 1); }
};

ValueGraph plainArguments() {
  Builder builder(Kind::ARRAY);
  return builder.array(builder.object("value", builder.text("text")));
}

ValueGraph requestArguments() {
  Builder builder(Kind::ARRAY);
  auto method = builder.text("POST"), url = builder.text("http://host.example/path?key=value");
  auto headers = builder.list({builder.text("content-type"), builder.text("application/json"), builder.text("accept"), builder.text("*/*")});
  auto body = builder.bytes(R"({"a":1})");
  auto state = builder.list({method, url, headers, body, builder.text("manual")});
  return builder.array(builder.platform("Request", state));
}

ValueGraph toolArguments(uint64_t id) {
  Builder builder(Kind::ARRAY);
  return builder.array(builder.object("tool", builder.stub(id)));
}

}  // namespace

WorkerSource rehearsedSource(WarmUp how, unsigned round, uint64_t stub) {
  WorkerSource source;
  if (how == WarmUp::ZYGOTE) source.compatibilityFlags = {"nodejs_compat", "nodejs_compat_populate_process_env"};
  source.mainModule = "rehearsal.js";
  source.modules.push_back({ModuleSource::Kind::JS, "rehearsal.js", "// " + std::to_string(round) + R"(
    import { WorkerEntrypoint } from "cloudflare:workers";
    export class Agent extends WorkerEntrypoint {
      async run(tools = {}) {
        const logs = [];
        console.log = (...args) => { logs.push(args.join(" ")); };
        const proxy = new Proxy({}, { get: (_, name) => async (...args) => {
          const { result } = JSON.parse(await tools.tool.call(String(name), JSON.stringify(args)));
          return result;
        } });
        try {
          const result = await Promise.race([
            (async () => [await proxy.first({ a: 1 }), await proxy.second("b"), (await this.env.TOOL.use({ value: 1 })).length])(),
            new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 60000)),
          ]);
          return { result, logs };
        } catch (error) {
          return { result: undefined, error: error.message, logs };
        }
      }
    }
    export default {
      async handler(input, env, ctx) {
        const copy = { ...input, list: [1, 2, "three"].map((x) => `${x}`), at: Date.now() };
        await null;
        return JSON.parse(JSON.stringify(copy));
      },
      // As web frameworks do it.
      async fetch(request, env, ctx) {
        const url = new URL(request.url);
        const body = { path: url.pathname, key: url.searchParams.get("key"), type: request.headers.get("content-type"), got: await request.json() };
        const headers = new Headers({ "content-type": "application/json" });
        headers.append("x-made-by", "rehearsal");
        const response = new Response(JSON.stringify(body), { status: 200, headers });
        const text = new Response("text", { headers: [["content-type", "text/plain"]] });
        return (await text.text()) === "text" && request.method === "POST" ? new Response(response.body, response) : Response.json(body);
      },
    };
  )"});
  Builder env(Kind::OBJECT);
  auto tool = env.stub(stub);
  auto name = env.text("TOOL");
  env.graph.nodes[0].properties = {{name, tool}};
  source.env = std::move(env.graph);
  return source;
}

std::vector<CallRequest> rehearsedCalls(WarmUp how, uint64_t argument) {
  std::vector<CallRequest> calls;
  calls.push_back({"", nullptr, 0, {"handler"}, false, plainArguments()});
  if (how == WarmUp::ZYGOTE) calls.push_back({"", nullptr, 0, {"fetch"}, false, requestArguments()});
  if (how == WarmUp::ZYGOTE) calls.push_back({"Agent", nullptr, 0, {"run"}, false, toolArguments(argument)});
  return calls;
}

RemoteAnswer rehearsedAnswer() {
  RemoteAnswer answer;
  answer.kind = RemoteAnswer::Kind::VALUE;
  Builder builder(Kind::TEXT);
  builder.graph.nodes[0].bytes = R"({"result":[1,{"a":"b"}]})";
  answer.graph = std::move(builder.graph);
  return answer;
}

}  // namespace glovebox
