#include "supervisor/said.h"

#include <algorithm>

#include <kj/debug.h>
#include <kj/encoding.h>

#include "ipc/wire-limits.h"

namespace glovebox {
namespace {

// Of all the room there is. What the code threw at last is worth more than what it logged before, so logs never take it all.
constexpr size_t THROWN_BYTES_MAX = wire::ACCOUNT_LOG_BYTES / 4;
constexpr size_t LOG_BYTES_MAX = wire::ACCOUNT_LOG_BYTES - THROWN_BYTES_MAX;

// A worker may send any number.
rpc::LogMessage::Level clean(rpc::LogMessage::Level level) { return std::min(level, rpc::LogMessage::Level::ERROR); }

}  // namespace

SaidLog::SaidLog(rpc::LogMessage::Reader message): level(clean(message.getLevel())), time(message.getTime()), text(cleanText(message.getText())) {}

SaidThrown::SaidThrown(rpc::ThrownError::Reader thrown)
    : time(thrown.getTime()), name(cleanText(thrown.getName())), message(cleanText(thrown.getMessage())), stack(cleanText(thrown.getStack())) {}

void Said::add(std::shared_ptr<const SaidLog> log) {
  if (logsEnded_ || log->bytes() > LOG_BYTES_MAX - logBytes_) {
    logsEnded_ = truncated = true;
    return;
  }
  logBytes_ += log->bytes();
  logs.push_back(std::move(log));
}

void Said::add(std::shared_ptr<const SaidThrown> thrown) {
  if (exceptionsEnded_ || thrown->bytes() > THROWN_BYTES_MAX - thrownBytes_) {
    exceptionsEnded_ = truncated = true;
    return;
  }
  thrownBytes_ += thrown->bytes();
  exceptions.push_back(std::move(thrown));
}

kj::String cleanText(kj::ArrayPtr<const char> text) { return kj::decodeUtf32(kj::encodeUtf32(text)); }

}  // namespace glovebox
