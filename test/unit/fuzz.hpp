#pragma once
// A source of random input for fuzz tests. They are meant to run with -fsanitize=address,undefined ("make unit-sanitize",
// "make fuzz"). MIGRATOR_FUZZ_ROUNDS sets the number of rounds, MIGRATOR_FUZZ_SECONDS a time instead, MIGRATOR_FUZZ_SEED
// the seed.

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

#include "base/deadline.hpp"

namespace migrator::test {

class Fuzz : public testing::Test {
protected:
  // Calls round until there were enough; returns how many there were.
  unsigned long repeat(const std::function<void()> &round) {
    unsigned long const seconds = setting("MIGRATOR_FUZZ_SECONDS", 0);
    Deadline const deadline{std::chrono::seconds(seconds)};
    unsigned long done = 0;
    while (!HasFailure() && (seconds > 0 ? !deadline.passed() : done < rounds_)) {
      round();
      ++done;
    }
    EXPECT_FALSE(HasFailure()) << "seed " << seed_ << ", round " << done;
    if (seconds > 0) std::printf("%lu executions\n", done);
    return done;
  }
  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }
  template <typename List> const auto &one_of(const List &list) { return *std::next(std::begin(list), static_cast<long>(below(std::size(list)))); }

  // A few random changes of bytes.
  std::string mutated(std::string bytes, std::size_t most = 4) {
    for (std::size_t change = below(most); change-- > 0 && !bytes.empty();) {
      std::size_t const at = below(bytes.size());
      switch (below(5)) {
        case 0: bytes[at] = static_cast<char>(below(256)); break;
        case 1: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
        case 2: bytes.erase(at, 1 + below(8)); break;
        case 3: bytes.insert(at, 1 + below(8), static_cast<char>(below(256))); break;
        default: bytes.resize(at); break;
      }
    }
    return bytes;
  }
  // Text in UTF-8 with all that needs care: quotes, escapes, control characters, every length of a character.
  std::string text(std::size_t most = 40) {
    static constexpr std::string_view k_pieces[] = {"\"", "\\", "'", ";", "--", "/*", "*/", "$$", "$1", "%s", "{", "}", ",", "\n", "\x01", "\x1f",
                                                    "\x7f", " ", "a", "Z", "_", "0", "é", "ы", "\u200f", "\ufeff", "\uffff", "😀", "\U0010ffff"};
    std::string result;
    for (std::size_t pieces = below(most + 1); pieces-- > 0;) result += one_of(k_pieces);
    return result;
  }
  std::string bytes(std::size_t most = 64) {
    std::string result(below(most + 1), '\0');
    for (char &byte : result) byte = static_cast<char>(below(256));
    return result;
  }

  unsigned long const seed_ = setting("MIGRATOR_FUZZ_SEED", 1);
  std::mt19937_64 random_{seed_};

private:
  static unsigned long setting(const char *name, unsigned long otherwise) {
    const char *value = std::getenv(name);
    return value ? std::strtoul(value, nullptr, 10) : otherwise;
  }
  unsigned long const rounds_ = setting("MIGRATOR_FUZZ_ROUNDS", 20000);
};

}  // namespace migrator::test
