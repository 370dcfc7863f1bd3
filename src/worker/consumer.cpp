#include "base/error.hpp"
#include "consume/consumer.hpp"
#include "pg/error.hpp"
#include "pg/worker.hpp"

MIGRATOR_WORKER(migrator_consumer_main) {
  using namespace migrator;
  pg::Assignment const assignment = pg::begin_worker(pg::Plans::brief);
  consume::Consumer(assignment.subject, assignment.number).work();
}
