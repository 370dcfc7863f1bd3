#pragma once
// Reading the marker partition after init_transactions: the one place that knows what was committed.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kafka/client.hpp"
#include "wire/protocol.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

struct Watermarks {
  std::int64_t low = 0;            // first offset still there
  std::int64_t high = 0;           // end of the log, committed or not
};

// `client` must be one that reads uncommitted (the producer). Throws Failure.
Watermarks watermarks(Client &client, const std::string &topic, std::uint32_t partition, const Deadline &deadline);

// Partitions that anything was ever written to, committed or not. `client` as above. Throws Failure.
std::vector<std::uint32_t> used_partitions(Client &client, const std::string &topic, std::uint32_t partitions, const Deadline &deadline);

struct Markers {
  std::optional<wire::Marker> newest;
  std::optional<wire::Marker> wanted;  // the newest one whose value contains the wanted text
};

// Of the committed records with this key in [from, marks.high); an empty `wanted` is in none. `reader` reads committed
// only, so a record of a transaction that is open or was aborted is never seen; the scan waits for the former to end.
// Throws Failure.
Markers find_markers(Client &reader, const std::string &topic, std::uint32_t partition, std::int64_t from, const Watermarks &marks,
                     const std::string &key, const std::string &wanted, const Deadline &deadline);

}  // namespace migrator::kafka
