#include "message/json.hpp"

#include <array>

#include "base/no_postgres.hpp"

namespace migrator::message {
namespace {

constexpr std::array<bool, 256> k_escaped = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 0x20; c++) table[static_cast<std::size_t>(c)] = true;
  table['"'] = table['\\'] = true;
  return table;
}();

void append_escape(std::string &out, unsigned char c) {
  static constexpr char k_hex[] = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; break;
    case '\\': out += "\\\\"; break;
    case '\b': out += "\\b"; break;
    case '\f': out += "\\f"; break;
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default: out += "\\u00"; out += k_hex[c >> 4]; out += k_hex[c & 15];
  }
}

}  // namespace

void append_string(std::string &out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // start of the stretch that needs no escape
  for (std::size_t i = 0; i < text.size(); i++) {
    auto const c = static_cast<unsigned char>(text[i]);
    if (!k_escaped[c]) continue;
    out.append(text, plain, i - plain);
    append_escape(out, c);
    plain = i + 1;
  }
  out.append(text, plain, std::string_view::npos);
  out += '"';
}

}  // namespace migrator::message
