#pragma once
// From the operator's properties to librdkafka's configuration.

#include <cstdint>
#include <string>

#include "kafka/handle.hpp"
#include "wire/protocol.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

// What the topics allow; it bounds what the producer makes (see kafka/limits.hpp).
struct Sizes {
  std::uint64_t largest_message = 0;  // bytes, overhead included, of any topic
  std::uint64_t batch = 0;            // bytes that every topic accepts as one batch
};

// A transaction that is open longer is aborted by the broker; so is what a killed process left behind.
inline constexpr int k_transaction_timeout_ms = 30000;

// Each function throws Failure (refused) that names the bad property in librdkafka's words; values of secrets are
// never part of a text.
Conf producer_config(const wire::Properties &properties, const std::string &transactional_id, const Sizes &sizes);
Conf reader_config(const wire::Properties &properties);       // metadata, administration, markers
Conf consumer_config(const wire::Properties &properties);     // the same for reading without end
// Checks the properties for themselves: they may be incomplete, and nothing is connected.
void validate(const wire::Properties &properties);

// The operator's value of a property, or an empty string.
std::string value_of(const wire::Properties &properties, const std::string &name);
// The text with the values of the secret properties blotted out.
std::string without_secrets(std::string text, const wire::Properties &properties);

}  // namespace migrator::kafka
