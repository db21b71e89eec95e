#pragma once
// A JSON document as text for people: objects as aligned "name  value" lines, arrays of objects as tables.

#include <rapidjson/document.h>

#include <string>

namespace glovebox::cli {

std::string jsonTable(const rapidjson::Value& document);

}  // namespace glovebox::cli
