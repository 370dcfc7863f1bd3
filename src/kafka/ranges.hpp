#pragma once
// What can be read at present: topics, their partitions, and the ends of these.

#include <cstdint>
#include <string>
#include <vector>

#include "kafka/client.hpp"
#include "wire/protocol.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

// `client` must be one that reads committed. A topic or partition that cannot be read has its problem in the result.
// Throws Failure if the cluster does not answer or refuses us as a whole.
wire::Range range(Client &client, const std::string &topic, std::uint32_t partition, const Deadline &deadline);
wire::Seen look(Client &client, const std::vector<std::string> &topics, const Deadline &deadline);

std::string cluster_id(Client &client, const Deadline &deadline);

}  // namespace migrator::kafka
