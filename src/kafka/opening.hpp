#pragma once
// Everything between Open and Opened: topics, marker topic, producer, markers.

#include <memory>

#include "kafka/producer.hpp"
#include "wire/protocol.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

struct Opening {
  wire::Opened opened;
  ProducerPlan plan;
  std::unique_ptr<Producer> producer;   // initialised
};

// Throws Failure.
Opening open(const wire::Open &request, const Deadline &deadline);

}  // namespace migrator::kafka
