#include "pg/prelude.hpp"

#include <cstring>

#include "pg/encoding.hpp"
#include "pg/guard.hpp"

namespace migrator::pg {
namespace {

// PostgreSQL returns the same pointer where there is nothing to convert.
const char *convert(std::string_view text, int from, int to) {
  auto *source = reinterpret_cast<unsigned char *>(const_cast<char *>(text.data()));
  return reinterpret_cast<const char *>(pg_do_encoding_conversion(source, static_cast<int>(text.size()), from, to));
}

}  // namespace

bool is_utf8() noexcept { return GetDatabaseEncoding() == PG_UTF8; }

std::string to_utf8(std::string_view text) {
  const char *converted = nullptr;
  bool valid = runs([&] { converted = convert(text, GetDatabaseEncoding(), PG_UTF8); });
  if (!valid) FlushErrorState();
  std::string result = valid && converted != text.data() ? std::string(converted) : std::string(text);
  valid = valid && pg_verify_mbstr(PG_UTF8, result.data(), static_cast<int>(result.size()), true);
  if (!valid)
    for (char &c : result)
      if (IS_HIGHBIT_SET(c)) c = '?';
  return result;
}

std::string from_utf8(std::string_view text) {
  const char *converted = call([&] { return convert(text, PG_UTF8, GetDatabaseEncoding()); });
  return converted != text.data() ? std::string(converted) : std::string(text);
}

}  // namespace migrator::pg
