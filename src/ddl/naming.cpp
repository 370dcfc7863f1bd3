#include "ddl/naming.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/no_postgres.hpp"

namespace migrator::ddl {
namespace {

constexpr std::size_t k_longest = 63;  // NAMEDATALEN - 1

// The key words of PostgreSQL 15 of the categories "reserved" and "reserved (can be function or type)", sorted.
constexpr std::array<std::string_view, 100> k_reserved{
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "binary", "both",
    "case", "cast", "check", "collate", "collation", "column", "concurrently", "constraint", "create", "cross",
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "false", "fetch", "for",
    "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike", "in", "initially", "inner", "intersect",
    "into", "is", "isnull", "join", "lateral", "leading", "left", "like", "limit", "localtime", "localtimestamp",
    "natural", "not", "notnull", "null", "offset", "on", "only", "or", "order", "outer", "overlaps", "placing",
    "primary", "references", "returning", "right", "select", "session_user", "similar", "some", "symmetric", "table",
    "tablesample", "then", "to", "trailing", "true", "union", "unique", "user", "using", "variadic", "verbose", "when",
    "where", "window", "with"};
static_assert(std::is_sorted(k_reserved.begin(), k_reserved.end()));

constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_letter(char c) { return is_upper(c) || (c >= 'a' && c <= 'z') || c == '_'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_plain(std::string_view name) {
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

// At most length bytes, and no broken character at the end.
std::string_view clip(std::string_view text, std::size_t length) {
  if (text.size() <= length) return text;
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  return text.substr(0, length);
}

std::string fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  std::string hex(16, '0');
  for (auto digit = hex.rbegin(); digit != hex.rend(); ++digit, hash >>= 4) *digit = "0123456789abcdef"[hash & 15];
  return hex;
}

}  // namespace

std::string fold(std::string_view text) {
  std::string folded(text);
  for (char &c : folded)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  return folded;
}

bool is_reserved(std::string_view folded) {
  return std::binary_search(k_reserved.begin(), k_reserved.end(), folded);
}

std::string quote(std::string_view name) {
  std::string quoted = "\"";
  for (char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

Name name_of(std::string_view code) {
  std::string own(code);
  if (own.size() > k_longest) {
    const std::string hash = '_' + fnv1a(fold(code));
    own = std::string(clip(code, k_longest - hash.size())) + hash;
  }
  const std::string real = fold(own);
  return {real, is_plain(own) && !is_reserved(real) ? own : quote(real)};
}

std::string companion_name(std::string_view table, std::string_view column, std::string_view label) {
  const std::size_t room = k_longest - (column.empty() ? 0 : 1) - label.size() - 1;
  std::size_t of_table = table.size();
  std::size_t of_column = column.size();
  while (of_table + of_column > room) --(of_table > of_column ? of_table : of_column);
  std::string name(clip(table, of_table));
  if (!column.empty()) name.append("_").append(clip(column, of_column));
  return name.append("_").append(label);
}

}  // namespace migrator::ddl
