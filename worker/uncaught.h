#pragma once
// The words for an exception that nobody caught, as Worker Loader reports it:
//
//   Uncaught TypeError: boom
//     at m.js:1:7 in f

#include <v8.h>

#include <string>

namespace glovebox {

// `message` may be empty: then it is made from the exception. Runs user code at most inside a TryCatch of its own.
std::string describeUncaught(v8::Isolate* isolate, v8::Local<v8::Value> exception, v8::Local<v8::Message> message);

}  // namespace glovebox
