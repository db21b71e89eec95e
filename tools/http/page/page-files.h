#pragma once
// The page at the admin address. The files stand beside this one; the build puts them into the executable (tools/embed-files).

#include <string_view>

namespace glovebox::http {

extern const std::string_view PAGE_HTML, PAGE_CSS, PAGE_SCRIPT, PAGE_ICON;

}  // namespace glovebox::http
