#pragma once
// The events of a line (NativeEvents in client/src/addon.d.ts) on their way to JavaScript. What a callback throws becomes
// an uncaught exception of the environment and harms nobody else.

#include "client/addon/environment.h"
#include "client/addon/line.h"
#include "client/addon/napi.h"

namespace glovebox::client {

class JsEvents final: public LineEvents {
 public:
  // Throws JsError if `events` lacks a callback.
  JsEvents(Environment& environment, napi_value events);
  ~JsEvents() noexcept(false);
  KJ_DISALLOW_COPY(JsEvents);

  void deliver(Number call, Number target, kj::ArrayPtr<const kj::String> path, kj::Maybe<rpc::Value::Reader> args,
               kj::ArrayPtr<const IncomingExternal> externals) override;
  void answered(Number call, const Answer& answer) override;
  void released(Number target) override;
  void log(Number worker, rpc::LogMessage::Level level, double time, kj::StringPtr text) override;
  void closed(kj::StringPtr message) override;

 private:
  enum Callback { DELIVER, ANSWERED, RELEASED, LOG, CLOSED, CALLBACKS };

  Environment& environment_;
  const napi_env env_;
  napi_ref events_ = nullptr;
  napi_ref callbacks_[CALLBACKS] = {};

  template <typename MakeArguments>
  void emit(Callback callback, MakeArguments&& makeArguments);
};

}  // namespace glovebox::client
