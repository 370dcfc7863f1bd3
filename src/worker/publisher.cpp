#include "base/error.hpp"
#include "migration/run.hpp"
#include "pg/error.hpp"
#include "pg/worker.hpp"
#include "publish/publisher.hpp"

MIGRATOR_WORKER(migrator_publisher_main) {
  using namespace migrator;
  pg::Assignment const assignment = pg::begin_worker();
  try {
    publish::Publisher(assignment.migration, assignment.number).work();
  } catch (const pg::Error &error) {
    migration::report_death(assignment.migration, error.sqlstate(), error.public_message());
    throw;
  } catch (const Error &error) {
    migration::report_death(assignment.migration, error.sqlstate(), error.message());
    throw;
  }
}
