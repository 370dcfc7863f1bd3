#pragma once
// Which librdkafka properties may be set on a foreign server of migrator_kafka and on its user mappings.
// Everything else is refused: commands and libraries that librdkafka would load, files that it would read for
// whoever asks, and all that the delivery guarantee rests on. docs/kafka-options.md has the list with reasons.

#include <string>
#include <string_view>

#include "base/no_postgres.hpp"

namespace migrator::server {

enum class Place { server, user_mapping };

// The property that an option sets: its name without a trailing ":ENV".
std::string_view property_name(std::string_view option) noexcept;
// True if the value names an environment variable of the server ("sasl.password:ENV").
bool from_environment(std::string_view option) noexcept;
// Raises HV00D, naming the option and what is wrong with it.
void check_option(std::string_view option, Place place);
// Raises HV024 for an environment variable that options may not name.
void check_environment(std::string_view variable);
// Raises HV024 for a value that librdkafka would accept and we do not.
void check_value(std::string_view option, std::string_view value);

}  // namespace migrator::server
