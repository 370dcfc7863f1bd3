#pragma once
// Writes what a batch has changed.

#include <string>
#include <string_view>
#include <vector>

#include "store/links.hpp"
#include "store/workspace.hpp"

namespace migrator::store {

// record_keys: to be remembered. Throws Error 40001 where another session was faster; see applier.hpp.
void flush(const std::string &company, Workspace &workspace, Links &links, std::vector<std::string_view> record_keys);

}  // namespace migrator::store
