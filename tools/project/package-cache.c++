#include "tools/project/package-cache.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

namespace glovebox::project {
namespace {

namespace fs = std::filesystem;

constexpr auto DAY = std::chrono::hours(24);
// The line before a document.
constexpr size_t HEAD_BYTES_MAX = 64 * 1024;

std::string hexOf(std::string_view bytes) {
  constexpr char DIGITS[] = "0123456789abcdef";
  std::string hex;
  for (unsigned char byte: bytes) hex += {DIGITS[byte >> 4], DIGITS[byte & 15]};
  return hex;
}

std::string hashOf(std::string_view body, const std::string& algorithm = "sha256") {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  if (EVP_Digest(body.data(), body.size(), digest.data(), &length, EVP_get_digestbyname(algorithm.c_str()), nullptr) != 1) return "";
  return hexOf({reinterpret_cast<const char*>(digest.data()), length});
}

std::optional<std::string> fromBase64(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (char c: text) {
    constexpr std::string_view DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    auto digit = DIGITS.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if ((count += 6) >= 8) bytes += static_cast<char>(bits >> (count -= 8));
  }
  return bytes;
}

std::optional<std::string> tryRead(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return std::nullopt;
  std::string body(std::istreambuf_iterator<char>(stream), {});
  if (stream.bad()) return std::nullopt;
  return body;
}

[[noreturn]] void fail(const char* what, const fs::path& file) {
  throw fs::filesystem_error(what, file, std::error_code(errno, std::generic_category()));
}

}  // namespace

std::optional<Integrity> Integrity::tryParse(std::string_view text) {
  struct Strength { std::string_view name; size_t bytes; };
  for (auto [name, length]: {Strength{"sha512", 64}, Strength{"sha384", 48}, Strength{"sha256", 32}}) {
    for (size_t begin = 0; begin < text.size();) {
      auto end = std::min(text.find_first_of(" \t\r\n", begin), text.size());
      auto one = text.substr(begin, end - begin);
      begin = end + 1;
      one = one.substr(0, one.find('?'));
      if (one.size() <= name.size() || !one.starts_with(name) || one[name.size()] != '-') continue;
      auto bytes = fromBase64(one.substr(name.size() + 1));
      if (!bytes || bytes->size() != length) continue;
      Integrity integrity;
      integrity.algorithm_ = name;
      integrity.base64_ = one.substr(name.size() + 1);
      integrity.hex_ = hexOf(*bytes);
      return integrity;
    }
  }
  return std::nullopt;
}

bool Integrity::fits(std::string_view body) const { return hashOf(body, algorithm_) == hex_; }
std::string Integrity::text() const { return algorithm_ + "-" + base64_; }

fs::path PackageCache::defaultFolder() {
  auto said = getenv("XDG_CACHE_HOME");
  fs::path base = said == nullptr ? "" : said;
  if (!base.is_absolute()) {
    auto home = getenv("HOME");
    auto user = home == nullptr ? getpwuid(getuid()) : nullptr;
    base = fs::path(home != nullptr ? home : user != nullptr ? user->pw_dir : "/") / ".cache";
  }
  return base / "glovebox" / "packages";
}

std::optional<std::string> PackageCache::tarball(const Integrity& integrity) {
  auto file = tarballFile(integrity);
  auto body = tryRead(file);
  if (!body) return std::nullopt;
  std::error_code error;
  if (!integrity.fits(*body)) {
    fs::remove(file, error);
    return std::nullopt;
  }
  auto now = fs::file_time_type::clock::now();
  if (now - fs::last_write_time(file, error) > DAY) fs::last_write_time(file, now, error);
  return body;
}

void PackageCache::keepTarball(const Integrity& integrity, std::string_view body) { write(tarballFile(integrity), "", body); }

std::optional<PackageDocument> PackageCache::document(const std::string& registry, const std::string& name) {
  auto file = documentFile(registry, name);
  auto bytes = tryRead(file);
  if (!bytes) return std::nullopt;
  auto end = bytes->find('\n');
  if (end != std::string::npos && end <= HEAD_BYTES_MAX) {
    rapidjson::Document head;
    head.Parse(bytes->data(), end);
    auto text = [&](const char* key) -> std::optional<std::string> {
      if (head.HasParseError() || !head.IsObject() || !head.HasMember(key) || !head[key].IsString()) return std::nullopt;
      return std::string(head[key].GetString(), head[key].GetStringLength());
    };
    PackageDocument document;
    document.body = bytes->substr(end + 1);
    document.hash = hashOf(document.body);
    auto etag = text("etag");
    if (etag && text("hash") == document.hash && text("registry") == registry && text("name") == name && head.HasMember("time") && head["time"].IsInt64()) {
      document.etag = *etag;
      document.timeMs = head["time"].GetInt64();
      return document;
    }
  }
  std::error_code error;
  fs::remove(file, error);
  return std::nullopt;
}

PackageDocument PackageCache::keepDocument(const std::string& registry, const std::string& name, std::string etag, int64_t timeMs, std::string body) {
  PackageDocument document{std::move(etag), timeMs, std::move(body), {}};
  document.hash = hashOf(document.body);
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> head(buffer);
  head.StartObject();
  for (auto& [key, text]: {std::pair<const char*, const std::string&>{"registry", registry}, {"name", name}, {"etag", document.etag}, {"hash", document.hash}}) {
    head.Key(key);
    head.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  }
  head.Key("time");
  head.Int64(timeMs);
  head.EndObject();
  buffer.Put('\n');
  write(documentFile(registry, name), {buffer.GetString(), buffer.GetSize()}, document.body);
  return document;
}

void PackageCache::write(const fs::path& file, std::string_view head, std::string_view body) {
  // Folders of the cache's own are nobody else's to look into.
  std::vector<fs::path> above;
  std::error_code error;
  for (auto folder = file.parent_path(); !folder.empty() && !fs::exists(folder, error); folder = folder.parent_path()) above.push_back(folder);
  for (auto folder = above.rbegin(); folder != above.rend(); ++folder) {
    if (mkdir(folder->c_str(), 0700) != 0 && errno != EEXIST) fail("cannot make the folder", *folder);
  }
  auto temporary = (file.parent_path() / ".XXXXXX").string();
  int fd = mkostemp(temporary.data(), O_CLOEXEC);   // with the mode 0600
  if (fd < 0) fail("cannot write", temporary);
  bool written = true;
  for (auto part: {head, body}) {
    while (written && !part.empty()) {
      auto n = ::write(fd, part.data(), part.size());
      if (n < 0 && errno == EINTR) continue;
      written = n > 0;
      if (written) part.remove_prefix(static_cast<size_t>(n));
    }
  }
  written = close(fd) == 0 && written && rename(temporary.c_str(), file.c_str()) == 0;
  if (!written) {
    auto why = errno;
    unlink(temporary.c_str());
    errno = why;
    fail("cannot write", file);
  }
  written_ += body.size();
  if (written_ > bytesMax_ / 16) prune();
}

void PackageCache::prune() {
  struct Kept { fs::path file; uint64_t size; fs::file_time_type time; };
  written_ = 0;
  std::vector<Kept> files;
  uint64_t total = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    // Another program may delete it meanwhile.
    std::error_code gone;
    if (!at->is_regular_file(gone)) continue;
    auto size = at->file_size(gone);
    auto time = at->last_write_time(gone);
    if (gone) continue;
    files.push_back({at->path(), size, time});
    total += size;
  }
  if (total <= bytesMax_) return;
  std::sort(files.begin(), files.end(), [](const Kept& a, const Kept& b) { return a.time < b.time; });
  for (auto& kept: files) {
    // Some more, so that it is not measured again at once.
    if (total <= bytesMax_ / 4 * 3) break;
    fs::remove(kept.file, error);
    total -= kept.size;
  }
}

fs::path PackageCache::tarballFile(const Integrity& integrity) const {
  return folder_ / "tarballs" / integrity.algorithm() / integrity.hex().substr(0, 2) / integrity.hex().substr(2);
}
fs::path PackageCache::documentFile(const std::string& registry, const std::string& name) const {
  auto hex = hashOf(registry + "\n" + name);
  return folder_ / "documents" / hex.substr(0, 2) / hex.substr(2);
}

}  // namespace glovebox::project
