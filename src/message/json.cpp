#include "message/json.hpp"

#include <array>
#include <cstdint>
#include <cstring>

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

// Whether none of eight bytes needs an escape. A borrow reaches a byte only from one below it that does, so the answer for all
// of them is exact (https://graphics.stanford.edu/~seander/bithacks.html, "Determine if a word has a byte less than n").
bool eight_plain(const char *bytes) {
  constexpr std::uint64_t k_ones = 0x0101010101010101, k_high = 0x80 * k_ones;
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  std::uint64_t const quote = word ^ ('"' * k_ones), backslash = word ^ ('\\' * k_ones);
  std::uint64_t const control = (word - 0x20 * k_ones) & ~word;
  return ((control | ((quote - k_ones) & ~quote) | ((backslash - k_ones) & ~backslash)) & k_high) == 0;
}

}  // namespace

void append_string(std::string &out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // start of the stretch that needs no escape
  for (std::size_t i = 0; i < text.size(); i++) {
    while (text.size() - i > sizeof(std::uint64_t) && eight_plain(text.data() + i)) i += sizeof(std::uint64_t);
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
