#include "client/cpp/account.h"

#include "ipc/ending.h"

namespace glovebox::client {
namespace {

std::string text(capnp::Text::Reader from) { return std::string(from.begin(), from.size()); }

}  // namespace

Account::Account(rpc::Account::Reader from)
    : outcome(text(endingName(from.getOutcome()))),
      startTime(from.getStartTime()),
      wallMs(static_cast<double>(from.getWallUs()) / 1000),
      cpuMs(static_cast<double>(from.getCpuUs()) / 1000),
      peakMemoryBytes(from.getPeakMemoryBytes()),
      subRequests(from.getSubRequests()),
      bytesIn(from.getBytesIn()),
      bytesOut(from.getBytesOut()),
      truncated(from.getTruncated()) {
  for (auto use: from.getCapabilities()) {
    capabilities.push_back({text(use.getLabel()), text(use.getKind()), use.getCalls(), use.getBytesOut(), use.getBytesIn()});
  }
  for (auto log: from.getLogs()) logs.push_back({log.getLevel(), log.getTime(), text(log.getText())});
  for (auto thrown: from.getExceptions()) {
    exceptions.push_back({thrown.getTime(), text(thrown.getName()), text(thrown.getMessage()), text(thrown.getStack())});
  }
}

}  // namespace glovebox::client
