#pragma once
// Messages that cannot be applied for what they are.

#include <string>

#include "consume/batch.hpp"

namespace migrator::consume {

// Keeps the record with its reason, in the current transaction.
void bury(const std::string &company, const Partition &from, const wire::Record &record, const store::Failure &failure);

}  // namespace migrator::consume
