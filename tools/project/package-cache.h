#pragma once
// What was fetched from a package registry, on the disk: the folder of the Node package (client/src/package-cache.ts), laid out as there, so that both
// share it. Tarballs lie under the hash of what is in them; a registry's documents under a hash of the registry and the name, behind a line of our
// own with a hash of theirs. So what is damaged, or was changed by somebody, is noticed when it is read, and fetched again. Nothing in them is read.
//
// Files appear whole or not at all, and any number of programs may share a folder. It has a bound: beyond it, what was not used for longest is deleted.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace glovebox::project {

// "sha512-BASE64", as lock files and registries write it.
class Integrity {
 public:
  // Several may be said, separated by blanks; the strongest counts. Nothing: none of them is strong enough to rely on.
  static std::optional<Integrity> tryParse(std::string_view text);

  bool fits(std::string_view body) const;
  std::string text() const;

  const std::string& algorithm() const { return algorithm_; }   // "sha512"
  const std::string& hex() const { return hex_; }

 private:
  std::string algorithm_, base64_, hex_;
};

struct PackageDocument {
  std::string etag;      // of the registry; may be empty
  int64_t timeMs = 0;    // when the registry last said that it is this one
  std::string body;
  std::string hash;      // of the body
};

class PackageCache {
 public:
  static constexpr uint64_t BYTES_MAX = uint64_t{2048} << 20;

  explicit PackageCache(std::filesystem::path folder, uint64_t bytesMax = BYTES_MAX): folder_(std::move(folder)), bytesMax_(bytesMax) {}

  // glovebox/packages in the user's cache folder.
  static std::filesystem::path defaultFolder();
  const std::filesystem::path& folder() const { return folder_; }

  // Those that write throw std::filesystem::filesystem_error when they cannot.
  std::optional<std::string> tarball(const Integrity& integrity);
  void keepTarball(const Integrity& integrity, std::string_view body);   // which fits
  std::optional<PackageDocument> document(const std::string& registry, const std::string& name);
  PackageDocument keepDocument(const std::string& registry, const std::string& name, std::string etag, int64_t timeMs, std::string body);

 private:
  std::filesystem::path folder_;
  uint64_t bytesMax_;
  uint64_t written_ = UINT64_MAX / 2;   // since the folder was last measured; at first it was not

  void write(const std::filesystem::path& file, std::string_view head, std::string_view body);
  void prune();
  std::filesystem::path tarballFile(const Integrity& integrity) const;
  std::filesystem::path documentFile(const std::string& registry, const std::string& name) const;
};

}  // namespace glovebox::project
