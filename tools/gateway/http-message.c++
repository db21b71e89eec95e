#include "tools/gateway/http-message.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tools/gateway/limits.h"

namespace glovebox::gateway {

namespace {

using Kind = ValueNode::Kind;

constexpr std::string_view REQUEST = "Request", RESPONSE = "Response";

// In JavaScript a header is a string of which each character is a byte.
std::string utf8FromBytes(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (char c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xc0 | (byte >> 6));
      text += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return text;
}

// Nothing if a character is no byte. `text` is valid UTF-8.
std::optional<std::string> tryBytesFromUtf8(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); i++) {
    auto first = static_cast<unsigned char>(text[i]);
    if (first < 0x80) {
      bytes += text[i];
    } else if ((first == 0xc2 || first == 0xc3) && i + 1 < text.size()) {
      bytes += static_cast<char>(((first & 0x03) << 6) | (static_cast<unsigned char>(text[++i]) & 0x3f));
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

class GraphWriter {
 public:
  NodeRef add(ValueNode node) {
    graph_.nodes.push_back(std::move(node));
    return static_cast<NodeRef>(graph_.nodes.size() - 1);
  }
  NodeRef text(std::string utf8) {
    ValueNode node;
    node.kind = Kind::TEXT;
    node.bytes = std::move(utf8);
    return add(std::move(node));
  }
  NodeRef array(std::vector<NodeRef> items) { return add(arrayNode(std::move(items))); }
  NodeRef uint8Array(std::string bytes) {
    ValueNode buffer, view;
    buffer.kind = Kind::ARRAY_BUFFER;
    view.kind = Kind::VIEW;
    view.subkind = static_cast<uint8_t>(ViewKind::UINT8);
    view.length = bytes.size();
    buffer.bytes = std::move(bytes);
    view.ref = add(std::move(buffer));
    return add(std::move(view));
  }
  ValueNode& at(NodeRef ref) { return graph_.nodes[ref]; }
  ValueGraph finish() { return std::move(graph_); }

  static ValueNode arrayNode(std::vector<NodeRef> items) {
    ValueNode node;
    node.kind = Kind::ARRAY;
    node.length = items.size();
    node.items = std::move(items);
    return node;
  }

 private:
  ValueGraph graph_;

};

NodeRef writeBody(GraphWriter& writer, Body& body) {
  if (auto whole = std::get_if<WholeBody>(&body)) return writer.uint8Array(std::move(whole->bytes));
  ValueNode node;
  if (auto stream = std::get_if<StreamedBody>(&body)) {
    node.kind = Kind::EXTERNAL;
    node.ref = stream->external;
  } else {
    node.kind = Kind::NIL;
  }
  return writer.add(std::move(node));
}

NodeRef writeHeaders(GraphWriter& writer, const std::vector<Field>& fields) {
  std::vector<NodeRef> headers;
  headers.reserve(2 * fields.size());
  for (const Field& field : fields) {
    headers.push_back(writer.text(field.name));
    headers.push_back(writer.text(utf8FromBytes(field.value)));
  }
  return writer.array(std::move(headers));
}

}  // namespace

namespace {

// With a socket: it is the external 0.
ValueGraph writeResponse(unsigned status, std::string_view statusText, const std::vector<Field>& fields, Body body, bool hasSocket) {
  GraphWriter writer;
  NodeRef root = writer.array({});
  ValueNode number;
  number.kind = Kind::NUMBER;
  number.number = status;
  NodeRef statusNode = writer.add(std::move(number)), textNode = writer.text(utf8FromBytes(statusText));
  NodeRef headersNode = writeHeaders(writer, fields);
  bool streamed = std::holds_alternative<StreamedBody>(body);
  NodeRef bodyNode = writeBody(writer, body);
  std::vector<NodeRef> parts{statusNode, textNode, headersNode, bodyNode};
  if (hasSocket) {
    ValueNode socket;
    socket.kind = Kind::EXTERNAL;
    socket.ref = 0;
    parts.push_back(writer.add(std::move(socket)));
  }
  NodeRef state = writer.array(std::move(parts));
  ValueNode& response = writer.at(root);
  response = ValueNode();
  response.kind = Kind::PLATFORM;
  response.bytes = RESPONSE;
  response.ref = state;
  ValueGraph graph = writer.finish();
  if (streamed) graph.externals.push_back({ValueExternal::Kind::READABLE, false, 0, "body"});
  if (hasSocket) graph.externals.push_back({ValueExternal::Kind::SOCKET, false, 0, ""});
  return graph;
}

}  // namespace

ValueGraph writeResponse(unsigned status, std::string_view statusText, const std::vector<Field>& fields, Body body) {
  return writeResponse(status, statusText, fields, std::move(body), false);
}

ValueGraph writeUpgrade(std::string_view statusText, const std::vector<Field>& fields) { return writeResponse(101, statusText, fields, NoBody(), true); }

ValueGraph writeRequest(std::string_view method, std::string url, const std::vector<Field>& fields, Body body) {
  GraphWriter writer;
  NodeRef root = writer.array({});
  NodeRef methodNode = writer.text(std::string(method)), urlNode = writer.text(std::move(url));
  NodeRef headersNode = writeHeaders(writer, fields);
  bool streamed = std::holds_alternative<StreamedBody>(body);
  NodeRef bodyNode = writeBody(writer, body);
  // Where a redirect leads is for the client to find out.
  NodeRef state = writer.array({methodNode, urlNode, headersNode, bodyNode, writer.text("manual")});
  ValueNode request;
  request.kind = Kind::PLATFORM;
  request.bytes = REQUEST;
  request.ref = state;
  NodeRef requestNode = writer.add(std::move(request));
  writer.at(root) = GraphWriter::arrayNode({requestNode});
  ValueGraph graph = writer.finish();
  if (streamed) graph.externals.push_back({ValueExternal::Kind::READABLE, false, 0, "body"});
  return graph;
}

std::optional<std::string> tryUint8Array(ValueGraph& graph, NodeRef ref) {
  const ValueNode& view = graph.nodes[ref];
  if (view.kind != Kind::VIEW || view.subkind != static_cast<uint8_t>(ViewKind::UINT8)) return std::nullopt;
  std::string& bytes = graph.nodes[view.ref].bytes;
  uint64_t offset = view.offset, length = view.flag ? bytes.size() - std::min<uint64_t>(offset, bytes.size()) : view.length;
  if (offset > bytes.size() || length > bytes.size() - offset) return std::nullopt;
  if (offset == 0 && length == bytes.size()) return std::move(bytes);
  return bytes.substr(offset, length);
}

// ---------------------------------------------------------------------------------------------------------------------
// What workers say.

namespace {

constexpr Refusal NOT_A_RESPONSE{502, "The worker did not return a Response."};
constexpr Refusal BAD_STATUS{502, "The worker's response has a status that cannot be sent."};
constexpr Refusal BAD_STATUS_TEXT{502, "The worker's response has a status text that cannot be sent."};
constexpr Refusal BAD_HEADER{502, "The worker's response has a header that cannot be sent."};
constexpr Refusal TOO_MANY_HEADERS{502, "The worker's response has too many or too large headers."};
constexpr Refusal BAD_LENGTH{502, "The worker's response has a Content-Length that is not the length of its body."};
constexpr Refusal BAD_BODY{502, "The worker's response has a body that is neither bytes nor a stream of bytes."};

constexpr unsigned STATUS_MIN = 200, STATUS_MAX = 599;   // 101 would make it another protocol

// The elements of an array that has all of them and is as long as it says; null otherwise.
const std::vector<NodeRef>* tryItems(const ValueGraph& graph, NodeRef ref) {
  const ValueNode& node = graph.nodes[ref];
  if (node.kind != Kind::ARRAY || node.length != node.items.size() || !node.properties.empty()) return nullptr;
  if (std::ranges::find(node.items, NO_NODE) != node.items.end()) return nullptr;
  return &node.items;
}

std::optional<std::string> tryBytes(const ValueGraph& graph, NodeRef ref) {
  const ValueNode& node = graph.nodes[ref];
  if (node.kind != Kind::TEXT) return std::nullopt;
  return tryBytesFromUtf8(node.bytes);
}

std::optional<Refusal> addField(Answer& answer, size_t& total, std::string name, std::string value) {
  total += name.size() + value.size() + 4;
  if (total > ANSWER_HEAD_BYTES_MAX) return TOO_MANY_HEADERS;
  if (!isToken(name) || !isFieldValue(value)) return BAD_HEADER;
  name = lowerCase(name);
  if (isHopByHop(name)) return std::nullopt;
  if (name == "content-length") {
    uint64_t length = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    bool digits = std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || error != std::errc() || end != value.data() + value.size() || answer.contentLength) return BAD_LENGTH;
    answer.contentLength = length;
    return std::nullopt;
  }
  answer.fields.push_back({std::move(name), std::move(value)});
  return std::nullopt;
}

std::optional<Refusal> readBody(ValueGraph& graph, NodeRef ref, Body& body) {
  const ValueNode& node = graph.nodes[ref];
  if (node.kind == Kind::NIL) return std::nullopt;
  if (node.kind == Kind::EXTERNAL) {
    if (graph.externals[node.ref].kind != ValueExternal::Kind::READABLE) return BAD_BODY;
    body = StreamedBody{node.ref};
    return std::nullopt;
  }
  auto bytes = tryUint8Array(graph, ref);
  if (!bytes) return BAD_BODY;
  body = WholeBody{std::move(*bytes)};
  return std::nullopt;
}

}  // namespace

std::variant<Answer, Refusal> readAnswer(ValueGraph graph) {
  if (graph.nodes.empty()) return NOT_A_RESPONSE;
  const ValueNode& root = graph.nodes[0];
  if (root.kind != Kind::PLATFORM || root.bytes != RESPONSE) return NOT_A_RESPONSE;
  auto state = tryItems(graph, root.ref);
  if (state == nullptr || (state->size() != 4 && state->size() != 5)) return NOT_A_RESPONSE;

  Answer answer;
  const ValueNode& status = graph.nodes[(*state)[0]];
  if (state->size() == 5) {
    const ValueNode& socket = graph.nodes[(*state)[4]];
    if (socket.kind != Kind::EXTERNAL || graph.externals[socket.ref].kind != ValueExternal::Kind::SOCKET) return NOT_A_RESPONSE;
    answer.socket = socket.ref;
  }
  bool inRange = answer.socket ? status.number == 101 : status.number >= STATUS_MIN && status.number <= STATUS_MAX;
  if (status.kind != Kind::NUMBER || !inRange || status.number != std::floor(status.number)) return BAD_STATUS;
  answer.status = static_cast<unsigned>(status.number);
  auto statusText = tryBytes(graph, (*state)[1]);
  if (!statusText || statusText->size() > STATUS_TEXT_BYTES_MAX || !isFieldValue(*statusText)) return BAD_STATUS_TEXT;
  answer.statusText = std::move(*statusText);

  auto headers = tryItems(graph, (*state)[2]);
  if (headers == nullptr || headers->size() % 2 != 0) return BAD_HEADER;
  if (headers->size() > 2 * ANSWER_HEADERS_MAX) return TOO_MANY_HEADERS;
  size_t total = 0;
  for (size_t i = 0; i < headers->size(); i += 2) {
    auto name = tryBytes(graph, (*headers)[i]), value = tryBytes(graph, (*headers)[i + 1]);
    if (!name || !value) return BAD_HEADER;
    if (auto refusal = addField(answer, total, std::move(*name), std::move(*value))) return *refusal;
  }

  if (auto refusal = readBody(graph, (*state)[3], answer.body)) return *refusal;
  if (answer.socket && !std::holds_alternative<NoBody>(answer.body)) return BAD_BODY;
  if (auto whole = std::get_if<WholeBody>(&answer.body)) {
    if (answer.contentLength && *answer.contentLength != whole->bytes.size()) return BAD_LENGTH;
  }
  return answer;
}

namespace {

constexpr Refusal NOT_A_REQUEST{400, "fetch() is called with one Request."};
constexpr Refusal BAD_REQUEST_HEADER{400, "The request has a header that cannot be sent."};
constexpr Refusal TOO_MANY_REQUEST_HEADERS{400, "The request has too many or too large headers."};
constexpr Refusal BAD_REQUEST_BODY{400, "The request has a body that is neither bytes nor a stream of bytes."};

}  // namespace

std::variant<Outgoing, Refusal> readRequest(ValueGraph graph) {
  if (graph.nodes.empty()) return NOT_A_REQUEST;
  auto arguments = tryItems(graph, 0);
  if (arguments == nullptr || arguments->size() != 1) return NOT_A_REQUEST;
  const ValueNode& request = graph.nodes[(*arguments)[0]];
  if (request.kind != Kind::PLATFORM || request.bytes != REQUEST) return NOT_A_REQUEST;
  auto state = tryItems(graph, request.ref);
  if (state == nullptr || state->size() != 5) return NOT_A_REQUEST;

  Outgoing outgoing;
  auto method = tryBytes(graph, (*state)[0]), url = tryBytes(graph, (*state)[1]);
  if (!method || !isToken(*method) || !url) return NOT_A_REQUEST;
  outgoing.method = std::move(*method);
  outgoing.url = std::move(*url);

  auto headers = tryItems(graph, (*state)[2]);
  if (headers == nullptr || headers->size() % 2 != 0) return BAD_REQUEST_HEADER;
  if (headers->size() > 2 * HEADERS_MAX) return TOO_MANY_REQUEST_HEADERS;
  size_t total = 0;
  for (size_t i = 0; i < headers->size(); i += 2) {
    auto name = tryBytes(graph, (*headers)[i]), value = tryBytes(graph, (*headers)[i + 1]);
    if (!name || !value || !isToken(*name) || !isFieldValue(*value)) return BAD_REQUEST_HEADER;
    total += name->size() + value->size() + 4;
    if (total > HEAD_BYTES_MAX) return TOO_MANY_REQUEST_HEADERS;
    auto lower = lowerCase(*name);
    if (lower == "upgrade" && lowerCase(*value) == "websocket") outgoing.upgrade = true;
    if (isHopByHop(lower) || lower == "host" || lower == "content-length" || lower == "expect") continue;
    outgoing.fields.push_back({std::move(lower), std::move(*value)});
  }
  if (readBody(graph, (*state)[3], outgoing.body)) return BAD_REQUEST_BODY;
  return outgoing;
}

const char* reasonPhrase(unsigned status) {
  switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 208: return "Already Reported";
    case 226: return "IM Used";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 305: return "Use Proxy";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 423: return "Locked";
    case 424: return "Failed Dependency";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 506: return "Variant Also Negotiates";
    case 507: return "Insufficient Storage";
    case 508: return "Loop Detected";
    case 511: return "Network Authentication Required";
    default: return "";
  }
}

std::variant<std::string, NoBody, Refusal> readChunk(ValueGraph graph) {
  if (!graph.nodes.empty()) {
    if (graph.nodes[0].kind == Kind::UNDEFINED) return NoBody{};
    if (auto bytes = tryUint8Array(graph, 0)) return std::move(*bytes);
  }
  return BAD_BODY;
}

}  // namespace glovebox::gateway
