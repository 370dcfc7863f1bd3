#pragma once
// A point in time by which something must be done, handed down through calls so that their waits add up to one limit.

#include <algorithm>
#include <chrono>

#include "base/no_postgres.hpp"

namespace migrator {

class Deadline {
public:
  explicit Deadline(std::chrono::milliseconds from_now) noexcept : at_(std::chrono::steady_clock::now() + from_now) {}

  // Milliseconds left, at least 0, at most `most`.
  int left_ms(int most = 1 << 30) const noexcept {
    auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(at_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, most));
  }
  bool passed() const noexcept { return left_ms() == 0; }
  // The earlier of this one and one that many milliseconds from now.
  Deadline within(int milliseconds) const noexcept { return Deadline(std::chrono::milliseconds(left_ms(milliseconds))); }

private:
  std::chrono::steady_clock::time_point at_;
};

}  // namespace migrator
