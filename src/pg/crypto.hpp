#pragma once
// Random numbers and digests.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace migrator::pg {

// Bytes that nobody can foresee.
void strong_random(std::span<unsigned char> bytes);

// SHA-256 in hexadecimal digits.
std::string sha256(std::string_view data);

}  // namespace migrator::pg
