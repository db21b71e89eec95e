#pragma once
// The words for an exception that nobody caught, as Worker Loader reports it:
//
//   Uncaught TypeError: boom
//     at m.js:1:7 in f

#include <v8.h>

#include <string>

#include "worker/log-buffer.h"

namespace glovebox {

// `message` may be empty: then it is made from the exception. Runs user code at most inside a TryCatch of its own.
std::string describeUncaught(v8::Isolate* isolate, v8::Local<v8::Value> exception, v8::Local<v8::Message> message);

// The same in parts, for accounts and tails. Runs no user code: what is asked for is not what the object would answer but what
// it holds. Of what is no Error the name is empty and the message its text, if it is no object, and its class otherwise.
ThrownLine describeThrown(v8::Isolate* isolate, v8::Local<v8::Value> exception, double time);

}  // namespace glovebox
