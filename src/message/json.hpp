#pragma once
// Writing JSON: compact, UTF-8, with the escapes that RFC 8259 demands and no others.

#include <string>
#include <string_view>

#include "base/no_postgres.hpp"

namespace migrator::message {

// Appends text as a JSON string, quotes included. text is UTF-8.
void append_string(std::string &out, std::string_view text);

}  // namespace migrator::message
