#pragma once
// What kafka_check shows: one finding for each thing that must be right, with its remedy.

#include "base/deadline.hpp"
#include "wire/protocol.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

// Ends with the first finding that makes the others impossible. Publishes nothing and creates no topic. Transactions
// are tried with an id of their own (the given one with "-check"), so that nobody is fenced.
wire::Report check(const wire::Check &request, const Deadline &deadline);

}  // namespace migrator::kafka
