#include "pg/prelude.hpp"

#include <algorithm>
#include <tuple>

#include "base/error.hpp"
#include "pg/encoding.hpp"
#include "pg/jsonb.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace migrator::pg {
namespace {

bool before(const Member &a, const Member &b) { return std::tuple(a.first.size(), a.first) < std::tuple(b.first.size(), b.first); }

void append_word(std::string &out, std::uint32_t word) { out.append(reinterpret_cast<const char *>(&word), sizeof word); }

}  // namespace

bool json_members(std::string_view jsonb, std::vector<Member> &out, std::list<std::string> &converted) {
  out.clear();
  auto const *const container = reinterpret_cast<const JsonbContainer *>(jsonb.data());
  if (!JsonContainerIsObject(container)) return false;
  std::uint32_t const count = JsonContainerSize(container);
  const char *const base = reinterpret_cast<const char *>(&container->children[2 * count]);
  std::uint32_t offset = 0;
  auto const next = [&](std::uint32_t i, std::string_view &text) {
    JEntry const entry = container->children[i];
    std::uint32_t const begin = offset;
    JBE_ADVANCE_OFFSET(offset, entry);
    if (!JBE_ISSTRING(entry)) return false;
    text = {base + begin, offset - begin};
    if (!is_utf8()) text = converted.emplace_back(to_utf8(text));
    return true;
  };
  out.resize(count);
  for (std::uint32_t i = 0; i < count; i++)
    if (!next(i, out[i].first)) return false;
  for (std::uint32_t i = 0; i < count; i++)
    if (!next(count + i, out[i].second)) return false;
  if (!is_utf8()) std::sort(out.begin(), out.end(), before);
  return true;
}

void append_json(std::string &out, const std::vector<Member> &given) {
  std::vector<Member> converted_members;
  std::list<std::string> converted;
  if (!is_utf8()) {
    for (const auto &[code, value] : given) converted_members.emplace_back(converted.emplace_back(from_utf8(code)), converted.emplace_back(from_utf8(value)));
    std::sort(converted_members.begin(), converted_members.end(), before);
  }
  const std::vector<Member> &members = is_utf8() ? given : converted_members;
  std::size_t total = 0;
  std::uint32_t n = 0;
  auto const entry = [&](std::string_view text) {
    total += text.size();
    if (total > JENTRY_OFFLENMASK) throw Error(sqlstate::program_limit, "the values of an instance are larger than 256 MB");
    // Now and then an offset stands in place of a length, so that a member is found without adding up all before it.
    append_word(out, n++ % JB_OFFSET_STRIDE == 0 ? JENTRY_ISSTRING | JENTRY_HAS_OFF | static_cast<std::uint32_t>(total)
                                                 : JENTRY_ISSTRING | static_cast<std::uint32_t>(text.size()));
  };
  append_word(out, JB_FOBJECT | static_cast<std::uint32_t>(members.size()));
  for (const auto &[code, value] : members) entry(code);
  for (const auto &[code, value] : members) entry(value);
  for (const auto &[code, value] : members) out += code;
  for (const auto &[code, value] : members) out += value;
}

}  // namespace migrator::pg
