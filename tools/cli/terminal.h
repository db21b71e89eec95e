#pragma once
// Text from a worker on its way to a person. It was written by an attacker: on a terminal, control characters in it
// could move the cursor, retitle the window or type for the user, and bidirectional overrides could show
// something else than what is there.

#include <string>
#include <string_view>

namespace glovebox::cli {

// Everything but tab, newline, and printable UTF-8 becomes \xNN or \u{NNNN}. Malformed UTF-8 counts as not printable.
std::string escapeControls(std::string_view text);

// As it is if standard error is a file or a pipe, escaped if it is a terminal.
std::string forStandardError(std::string_view text);

// Standard output, all of it; throws Failure if it cannot be written.
void writeOutput(std::string_view text);

}  // namespace glovebox::cli
