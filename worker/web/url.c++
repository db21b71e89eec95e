#include "worker/web/url.h"

#include "worker/web/node-exports.h"
#include "worker/web/strings.h"

namespace glovebox {
namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;
using v8::Local;

// [href, and its eight components]: URL keeps this record and slices strings out of it.
void returnRecord(const Info& info, ada_url url) {
  auto* isolate = info.GetIsolate();
  if (url == nullptr || !ada_is_valid(url)) return;
  auto href = ada_get_href(url);
  Local<v8::String> text;
  if (!fromUtf8(isolate, {href.data, href.length}).ToLocal(&text)) return;
  auto& parts = *ada_get_components(url);
  Local<v8::Value> record[] = {text};
  auto array = v8::Array::New(isolate, record, 1);
  auto context = isolate->GetCurrentContext();
  uint32_t index = 1;
  for (uint32_t part : {parts.protocol_end, parts.username_end, parts.host_start, parts.host_end, parts.port, parts.pathname_start,
                        parts.search_start, parts.hash_start}) {
    if (array->CreateDataProperty(context, index++, v8::Number::New(isolate, part)).IsNothing()) return;
  }
  info.GetReturnValue().Set(array);
}

void urlParse(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto input = toUtf8(isolate, info[0]);
  ada_url url;
  if (info[1]->IsString()) {
    auto base = toUtf8(isolate, info[1]);
    url = ada_parse_with_base(input.data(), input.size(), base.data(), base.size());
  } else {
    url = ada_parse(input.data(), input.size());
  }
  returnRecord(info, url);
  ada_free(url);
}

void urlCanParse(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto input = toUtf8(isolate, info[0]);
  bool can;
  if (info[1]->IsString()) {
    auto base = toUtf8(isolate, info[1]);
    can = ada_can_parse_with_base(input.data(), input.size(), base.data(), base.size());
  } else {
    can = ada_can_parse(input.data(), input.size());
  }
  info.GetReturnValue().Set(can);
}

void urlUpdate(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto href = toUtf8(isolate, info[0]);
  auto value = toUtf8(isolate, info[2]);
  ada_url url = ada_parse(href.data(), href.size());
  if (ada_is_valid(url)) {
    const char* data = value.data();
    size_t size = value.size();
    bool applied = true;
    // The order of `UrlPart` in native.d.ts.
    switch (info[1].As<v8::Int32>()->Value()) {
      case 0: applied = ada_set_href(url, data, size); break;
      case 1: ada_set_protocol(url, data, size); break;
      case 2: ada_set_username(url, data, size); break;
      case 3: ada_set_password(url, data, size); break;
      case 4: ada_set_host(url, data, size); break;
      case 5: ada_set_hostname(url, data, size); break;
      case 6: ada_set_port(url, data, size); break;
      case 7: ada_set_pathname(url, data, size); break;
      case 8: ada_set_search(url, data, size); break;
      case 9: ada_set_hash(url, data, size); break;
      default: applied = false;
    }
    if (applied) returnRecord(info, url);
  }
  ada_free(url);
}

void formParse(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto context = isolate->GetCurrentContext();
  auto input = toUtf8(isolate, info[0]);
  auto params = ada_parse_search_params(input.data(), input.size());
  auto entries = ada_search_params_get_entries(params);
  auto list = v8::Array::New(isolate);
  uint32_t index = 0;
  bool ok = true;
  while (ok && ada_search_params_entries_iter_has_next(entries)) {
    auto entry = ada_search_params_entries_iter_next(entries);
    for (auto part : {entry.key, entry.value}) {
      Local<v8::String> text;
      ok = ok && fromUtf8(isolate, {part.data, part.length}).ToLocal(&text) &&
          list->CreateDataProperty(context, index++, text).FromMaybe(false);
    }
  }
  ada_free_search_params_entries_iter(entries);
  ada_free_search_params(params);
  if (ok) info.GetReturnValue().Set(list);
}

void formSerialize(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto context = isolate->GetCurrentContext();
  auto list = info[0].As<v8::Array>();
  auto params = ada_parse_search_params("", 0);
  bool ok = true;
  for (uint32_t i = 0; ok && i + 1 < list->Length(); i += 2) {
    Local<v8::Value> key, value;
    ok = list->Get(context, i).ToLocal(&key) && list->Get(context, i + 1).ToLocal(&value);
    if (!ok) break;
    auto name = toUtf8(isolate, key), content = toUtf8(isolate, value);
    ada_search_params_append(params, name.data(), name.size(), content.data(), content.size());
  }
  auto text = ada_search_params_to_string(params);
  Local<v8::String> result;
  if (ok && fromUtf8(isolate, {text.data, text.length}).ToLocal(&result)) info.GetReturnValue().Set(result);
  ada_free_owned_string(text);
  ada_free_search_params(params);
}

constexpr NativeFunction NATIVES[] = {
  {"urlParse", urlParse}, {"urlCanParse", urlCanParse}, {"urlUpdate", urlUpdate},
  {"formParse", formParse}, {"formSerialize", formSerialize},
};

}  // namespace

std::span<const NativeFunction> urlNatives() { return NATIVES; }

}  // namespace glovebox
