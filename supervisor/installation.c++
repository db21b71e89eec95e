#include "supervisor/supervisor.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include <kj/debug.h>

// The build writes `glovebox-installation` beside the executables' common folder: one line "name path" each.

namespace glovebox {
namespace {

std::string folderOfExecutable() {
  char path[PATH_MAX];
  ssize_t length;
  KJ_SYSCALL(length = readlink("/proc/self/exe", path, sizeof(path) - 1));
  std::string text(path, static_cast<size_t>(length));
  return text.substr(0, text.rfind('/'));
}

std::string findManifest(kj::Maybe<kj::StringPtr> given) {
  KJ_IF_MAYBE(folder, given) return std::string(folder->cStr()) + "/glovebox-installation";
  if (const char* folder = getenv("GLOVEBOX_INSTALLATION")) return std::string(folder) + "/glovebox-installation";
  // Executables of the build tree stand one or two folders below it.
  auto folder = folderOfExecutable();
  for (int depth = 0; depth < 3; depth++) {
    auto candidate = folder + "/glovebox-installation";
    if (access(candidate.c_str(), R_OK) == 0) return candidate;
    auto slash = folder.rfind('/');
    if (slash == std::string::npos || slash == 0) break;
    folder.resize(slash);
  }
  return folderOfExecutable() + "/glovebox-installation";
}

}  // namespace

Installation findInstallation(kj::Maybe<kj::StringPtr> folder) {
  auto manifest = findManifest(folder);
  std::ifstream file(manifest);
  KJ_REQUIRE(file.is_open(),
             "Glovebox's parts were not found. Build them (tools/dev build), or set GLOVEBOX_INSTALLATION to the build folder",
             manifest.c_str());
  Installation installation;
  std::string name, path;
  while (file >> name && std::getline(file >> std::ws, path)) {
    auto value = kj::heapString(path.data(), path.size());
    if (name == "jailer") installation.jailer = kj::mv(value);
    else if (name == "loader") installation.loader = kj::mv(value);
    else if (name == "engine") installation.engine = kj::mv(value);
    else if (name == "worker") installation.worker = kj::mv(value);
    else if (name == "snapshot") installation.snapshot = kj::mv(value);
    else if (name == "typescript") installation.typescript = kj::mv(value);
    else if (name == "bundler") installation.bundler = kj::mv(value);
    else if (name == "esbuild") installation.esbuild = kj::mv(value);
    else if (name == "probe") installation.probe = kj::mv(value);
    else if (name == "glovebox") installation.glovebox = kj::mv(value);
    else if (name == "gateway") installation.gateway = kj::mv(value);
    else if (name == "egress") installation.egress = kj::mv(value);
  }
  for (auto part: {&installation.jailer, &installation.loader, &installation.engine, &installation.worker, &installation.snapshot}) {
    KJ_REQUIRE(part->size() > 0 && access(part->cStr(), R_OK) == 0, "a part of Glovebox is missing; build again (tools/dev build)",
               manifest.c_str(), *part);
  }
  return installation;
}

}  // namespace glovebox
