#pragma once
// Identities of instances and how they are looked up.

#include <string>
#include <string_view>

#include "store/structure.hpp"

namespace migrator::store {

// A new identity: 16 characters of the 64 of the samples, in the order of their creation by the millisecond; the last 9 are
// random. Should two be equal all the same, the primary key says so and the batch is repeated with others.
std::string new_id();

// A value as it stands in an index: a long one is its beginning and a digest. The same as migrator.unique_key.
std::string unique_key(std::string_view value);

// Where the workspace keeps an instance. Codes contain no control characters.
std::string external_key(const Bo &bo, std::string_view external_id);
std::string value_key(const Bo &bo, const Field &field, std::string_view unique_key);

}  // namespace migrator::store
