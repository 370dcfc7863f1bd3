#include "pg/worker.hpp"
#include "publish/publisher.hpp"

MIGRATOR_WORKER(migrator_publisher_main) {
  using namespace migrator;
  pg::Assignment const assignment = pg::begin_worker();
  publish::Publisher publisher(assignment.migration, assignment.number);
  publisher.work();
}
