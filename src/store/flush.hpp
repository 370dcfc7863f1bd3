#pragma once
// Writes what a batch has changed.

#include <string>
#include <string_view>
#include <vector>

#include "store/links.hpp"
#include "store/workspace.hpp"

namespace migrator::store {

// Instances that were loaded are locked and compared with what was read, and what has changed is written. record_keys: to be
// remembered, in their order. by_statement: the instances are locked already, and are to be written by statements. Throws Error 40001 where
// another session was faster; see applier.hpp.
void flush(const std::string &company, Workspace &workspace, Links &links, const std::vector<std::string_view> &record_keys, bool by_statement);

}  // namespace migrator::store
