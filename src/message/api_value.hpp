#pragma once
// Values in the form that `apiValue` has: always a string, whatever the field's type. What we write is canonical.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/no_postgres.hpp"

namespace migrator::message {

// "2024-12-26T08:59:33.261Z" from microseconds since 2000-01-01 00:00 UTC, cut to milliseconds.
// False, with nothing appended: infinite, before year 1 or after year 9999.
bool append_date(std::string &out, std::int64_t microseconds);

// A plain decimal without superfluous zeros from PostgreSQL's text form of a numeric ("1.0000" gives "1").
// False, with nothing appended: NaN or infinite.
bool append_number(std::string &out, std::string_view numeric);

// The way back: what others write, brought into canonical form. An empty result: text is no such value.
// Dates: YYYY-MM-DD, alone (midnight UTC) or followed by T or a space and HH:MM[:SS[.fraction]][Z or +HH[[:]MM]],
// UTC if no offset is given; years 1 to 9999.
std::string canonical_date(std::string_view text);
// Decimals with or without an exponent, of at most k_digits digits on each side of the point.
std::string canonical_number(std::string_view text);
inline constexpr int k_digits = 1000;

}  // namespace migrator::message
