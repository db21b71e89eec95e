#include "worker/module-text.h"

#include <utility>

#include "worker/engine/memory-budget.h"

namespace glovebox {

namespace {

// Below this a string outside the heap costs more than the copy.
constexpr size_t OUTSIDE_BYTES_MIN = 32 * 1024;

bool isAscii(std::string_view text) {
  unsigned char all = 0;
  for (unsigned char c : text) all |= c;   // without a way out, so that it is done with vectors
  return all < 0x80;
}

// Counted like a buffer, because V8's heap limit does not see it. V8 deletes it with the string.
class OutsideText final: public v8::String::ExternalOneByteStringResource {
 public:
  explicit OutsideText(std::string text): owned_(std::move(text)), text_(owned_) { MemoryBudget::ofProcess().buffers += text_.size(); }
  explicit OutsideText(std::string_view inPlace): text_(inPlace) { MemoryBudget::ofProcess().buffers += text_.size(); }
  ~OutsideText() override { MemoryBudget::ofProcess().buffers -= text_.size(); }
  const char* data() const override { return text_.data(); }
  size_t length() const override { return text_.size(); }

 private:
  const std::string owned_;
  const std::string_view text_;
};

// `Text` is the string itself, or where it lies.
template <typename Text>
v8::MaybeLocal<v8::String> make(v8::Isolate* isolate, Text text) {
  if (text.size() >= OUTSIDE_BYTES_MIN && isAscii(text)) {
    auto* outside = new OutsideText(std::move(text));
    v8::Local<v8::String> string;
    if (v8::String::NewExternalOneByte(isolate, outside).ToLocal(&string)) return string;
    delete outside;
    return {};
  }
  return v8::String::NewFromUtf8(isolate, text.data(), v8::NewStringType::kNormal, int(text.size()));
}

}  // namespace

v8::MaybeLocal<v8::String> makeModuleText(v8::Isolate* isolate, std::string text) { return make(isolate, std::move(text)); }

v8::MaybeLocal<v8::String> makeModuleTextInPlace(v8::Isolate* isolate, std::string_view text) { return make(isolate, text); }

}  // namespace glovebox
