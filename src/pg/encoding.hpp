#pragma once
// Text of the database and UTF-8. Whatever comes from SQL stays in the database's encoding, because it goes back
// there (names, keys, error messages); what leaves for Kafka is converted on its way out.

#include <string>
#include <string_view>

namespace migrator::pg {

bool is_utf8() noexcept;  // the database's encoding
// Text of the database in UTF-8; what has no counterpart becomes "?".
std::string to_utf8(std::string_view text);
// The way back, for text that was made out of the database's own; raises for what has no counterpart.
std::string from_utf8(std::string_view text);

}  // namespace migrator::pg
