// The launcher (shared_preload_libraries) and the scheduler that it starts in every database: they do what a cron
// line would do.

#include "base/error.hpp"
#include "migration/settings.hpp"
#include "pg/databases.hpp"
#include "pg/error.hpp"
#include "pg/transaction.hpp"
#include "pg/worker.hpp"

namespace {
constexpr int k_longest_look = 10000;  // ms that the launcher waits for a database
constexpr int k_step = 100;
}  // namespace

MIGRATOR_WORKER(migrator_launcher_main) {
  using namespace migrator;
  pg::begin_launcher();
  for (;;) {
    // One after the other: many databases must not take all worker slots, nor starve those at the end of the list.
    for (std::uint32_t const database : pg::databases()) {
      pg::WorkerHandle const scheduler = pg::start_worker(migration::k_scheduler, {database, 0, 0});
      for (int waited = 0; scheduler.running() && waited < k_longest_look; waited += k_step) pg::wait(k_step);
    }
    pg::wait_full(migration::schedule * 1000L);
  }
}

MIGRATOR_WORKER(migrator_scheduler_main) {
  using namespace migrator;
  (void)pg::begin_worker(pg::Plans::brief);
  if (!pg::extension_exists()) return;
  pg::Result companies;
  {
    pg::Transaction transaction;
    companies = pg::execute("select code from migrator.company where has_in_migration order by code");
    transaction.commit();
  }
  for (const std::vector<pg::Text> &row : companies.rows) {
    try {
      pg::Transaction transaction;
      std::string const answer = pg::execute("select migrator.try_to_start_migration($1)", {row[0]}).text();
      transaction.commit();
      if (!answer.starts_with("not started")) pg::report(pg::Level::log, "migrator: " + answer);
    } catch (const pg::Error &error) {
      pg::report(pg::Level::warning, std::string("migrator: could not start a migration: ") + error.what());
    }
  }  try {
    pg::Transaction transaction;
    pg::execute("select migrator.resume_all_consumers()");
    transaction.commit();
  } catch (const pg::Error &error) {
    pg::report(pg::Level::warning, std::string("migrator: could not start consumers: ") + error.what());
  }
}
