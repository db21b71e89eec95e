// glovebox status: what a daemon says about itself.

#include <rapidjson/document.h>

#include <algorithm>
#include <cstdio>

#include "tools/cli/commands.h"
#include "tools/cli/failure.h"
#include "tools/cli/json-table.h"
#include "tools/cli/session.h"
#include "tools/cli/terminal.h"

namespace glovebox::cli {

int status(const StatusOptions& options) {
  Session session(options.socket);
  std::string json;
  auto failure = kj::runCatchingExceptions([&]() {
    json = session.supervisor().statusRequest().send().wait(session.waitScope()).getJson().cStr();
  });
  KJ_IF_MAYBE(exception, failure) {
    throw Failure(EXIT_CODE_UNAVAILABLE, "'" + options.socket + "' gave no status: " + exception->getDescription().cStr());
  }
  if (options.json) {
    writeOutput(json + "\n");
    return EXIT_CODE_OK;
  }
  rapidjson::Document document;
  document.Parse(json.c_str());
  if (document.HasParseError()) throw Failure(EXIT_CODE_INTERNAL, "the status is not JSON; see it with --json");
  writeOutput(jsonTable(document));
  return EXIT_CODE_OK;
}

}  // namespace glovebox::cli
