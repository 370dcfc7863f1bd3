#pragma once
// The databases of the cluster, for the launcher, which is connected to none of them.

#include <cstdint>
#include <vector>

namespace migrator::pg {

// Oids of the databases that accept connections, templates left out.
std::vector<std::uint32_t> databases();
// Does the database that we are connected to have the extension?
bool extension_exists();

}  // namespace migrator::pg
