#include "base/error.hpp"
#include "migration/run.hpp"
#include "pg/error.hpp"
#include "pg/worker.hpp"
#include "publish/publisher.hpp"

MIGRATOR_WORKER(migrator_publisher_main) {
  using namespace migrator;
  pg::Assignment const assignment = pg::begin_worker(pg::Plans::along_keys);
  try {
    publish::Publisher(assignment.subject, assignment.number).work();
  } catch (const pg::Error &error) {
    migration::report_death(assignment.subject, error.sqlstate(), error.public_message());
    throw;
  } catch (const Error &error) {
    migration::report_death(assignment.subject, error.sqlstate(), error.message());
    throw;
  }
}
