#include "kafka/limits.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/no_postgres.hpp"

namespace migrator::kafka {

Limits limits(const std::vector<Configuration> &configurations, const wire::Properties &properties) {
  constexpr std::uint64_t k_kafka_default = 1048588;
  // A batch of one record: 61 bytes of batch header, and at most 36 bytes of lengths, deltas and attributes.
  constexpr std::uint64_t k_overhead = 61 + 36;
  std::string const own = value_of(properties, "message.max.bytes");
  std::uint64_t const ours = own.empty() ? ~std::uint64_t{0} : std::strtoull(own.c_str(), nullptr, 0);
  Limits result{{0, k_kafka_default}, {}};
  for (const Configuration &configuration : configurations) {
    auto const found = configuration.find("max.message.bytes");
    std::uint64_t const topic = found == configuration.end() ? k_kafka_default : std::strtoull(found->second.c_str(), nullptr, 10);
    std::uint64_t const limit = std::min(topic, ours);
    result.sizes.largest_message = std::max(result.sizes.largest_message, limit);
    result.sizes.batch = result.key_and_value.empty() ? limit : std::min(result.sizes.batch, limit);
    result.key_and_value.push_back(limit > k_overhead ? limit - k_overhead : 0);
  }
  return result;
}

}  // namespace migrator::kafka
