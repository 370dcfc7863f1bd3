#include "store/keys.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <span>

#include "pg/crypto.hpp"

namespace migrator::store {
namespace {

constexpr std::string_view k_alphabet = "0123456789@ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz~";
static_assert(k_alphabet.size() == 64);
constexpr std::size_t k_random = 9;        // bytes, one a character
constexpr std::size_t k_long_value = 200;  // bytes
constexpr std::size_t k_beginning = 50;    // characters

// Fetched many at a time: each call of the generator costs as much as an index entry.
std::span<const unsigned char, k_random> random_part() {
  static std::array<unsigned char, 200 * k_random> pool;
  static std::size_t used = pool.size();
  if (used == pool.size()) {
    pg::strong_random(pool);
    used = 0;
  }
  used += k_random;
  return std::span<const unsigned char, k_random>(pool.data() + used - k_random, k_random);
}

}  // namespace

std::string new_id() {
  std::string id(16, '0');
  auto const random = random_part();
  auto milliseconds = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                                     std::chrono::system_clock::now().time_since_epoch())
                                                     .count());
  for (std::size_t i = 7; i-- > 0; milliseconds /= 64) id[i] = k_alphabet[milliseconds % 64];
  for (std::size_t i = 0; i < random.size(); i++) id[7 + i] = k_alphabet[random[i] % 64];
  return id;
}

std::string_view unique_key(std::string_view value, std::list<std::string> &kept) {
  if (value.size() <= k_long_value) return value;
  std::size_t length = 0;
  for (std::size_t characters = 0; length < value.size(); length++)
    if ((static_cast<unsigned char>(value[length]) & 0xC0) != 0x80 && characters++ == k_beginning) break;
  return kept.emplace_back(std::string(value.substr(0, length)) + "... sha256:" + pg::sha256(value));
}

}  // namespace migrator::store
