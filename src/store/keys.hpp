#pragma once
// Identities of instances and how they are looked up.

#include <functional>
#include <list>
#include <string>
#include <string_view>

#include "store/structure.hpp"

namespace migrator::store {

// A new identity: 16 characters of the 64 of the samples, in the order of their creation by the millisecond; the last 9 are
// random. Should two be equal all the same, the primary key says so and the batch is repeated with others.
std::string new_id();

// A value as it stands in an index: a long one is its beginning and a digest, and put among what is kept. The same as
// migrator.unique_key.
std::string_view unique_key(std::string_view value, std::list<std::string> &kept);

// What an instance is known by: its external id (no field), or the unique_key of a value.
struct Key {
  const Bo *bo = nullptr;
  const Field *field = nullptr;
  std::string_view text;

  bool operator==(const Key &) const = default;
  auto operator<=>(const Key &) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key &key) const noexcept {
    return std::hash<std::string_view>()(key.text) ^ std::hash<const void *>()(key.field != nullptr ? static_cast<const void *>(key.field) : key.bo);
  }
};

}  // namespace migrator::store
