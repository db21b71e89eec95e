#pragma once
// The words of a kj::Exception for somebody who does not care how many hops it came over.

#include <kj/exception.h>

namespace glovebox {

// Without what Cap'n Proto puts before a description at each hop. Lives as long as the exception.
inline kj::StringPtr textWithoutHops(const kj::Exception& exception) {
  constexpr kj::StringPtr MARK = "remote exception: "_kj;
  kj::StringPtr text = exception.getDescription();
  while (text.startsWith(MARK)) text = text.slice(MARK.size());
  return text;
}

}  // namespace glovebox
