#pragma once
// All states that can be reached, breadth first: the first one that must not be has a shortest way to it.

#include <cstddef>
#include <string>
#include <vector>

#include "steps.hpp"

namespace model {

struct Found {
  std::size_t states = 0, steps = 0, depth = 0;
  Violation violation = Violation::none;
  std::vector<std::string> trace;    // to the violation
  bool complete = false;             // every state was looked at
};

// Stops at the first violation, and at `most` states. Throws std::runtime_error if a bound of state.hpp is too small.
Found search(const Setup &setup, std::size_t most);

}  // namespace model
