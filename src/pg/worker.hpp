#pragma once
// Background workers: starting them, their main functions, waiting.

#include <cstdint>
#include <string>

#include "pg/function.hpp"

namespace migrator::pg {

// What a worker is told at its start.
struct Assignment {
  std::uint32_t database = 0;   // oid
  std::int64_t subject = 0;     // id of what is worked on: a migration, a consumption
  std::int32_t number = 0;      // which of several workers of a kind
};

struct WorkerKind {
  const char *function;         // exported main function, see MIGRATOR_WORKER
  const char *title;            // what ps and pg_stat_activity show
};

// A worker started by this process. Knows whether it still runs; letting go of it does not stop it.
class WorkerHandle {
public:
  WorkerHandle() = default;
  WorkerHandle(WorkerHandle &&other) noexcept;
  WorkerHandle &operator=(WorkerHandle &&other) noexcept;
  ~WorkerHandle();
  bool started() const noexcept { return handle_ != nullptr; }
  bool running() const;

private:
  friend WorkerHandle start_worker(const WorkerKind &, const Assignment &);
  void *handle_ = nullptr;
};

// Starts a worker now. A handle with started() == false: no free slot (max_worker_processes).
WorkerHandle start_worker(const WorkerKind &kind, const Assignment &assignment);
// Starts a worker when the current transaction commits, and never if it rolls back.
void start_worker_at_commit(const WorkerKind &kind, const Assignment &assignment);

std::uint32_t current_database();
// Where the server looks for modules; our client program lies there too.
std::string library_directory();

// How a worker's statements are planned. along_keys: bulk reads that go along a key in small steps, where a plan that
// sorts or scans the whole table for each step would make the cost quadratic, and fresh tables have no statistics to tell.
// brief: many short statements. whole_tables: counts and copies, in parallel if the server is configured so.
enum class Plans { along_keys, brief, whole_tables };
// In a worker's main function: signals, connection to the assigned database as the extension's owner, settings
// that the work relies on.
Assignment begin_worker(Plans plans);
// The same without a database: only shared catalogues can be read.
void begin_launcher();

// Waits for the latch, for at most so many milliseconds, and handles interrupts, a changed configuration
// included. No transaction may be open.
void wait(long milliseconds);
// The same, but not ended early by the latch.
void wait_full(long milliseconds);
// The same, and for a socket to become readable (writable). True: it is.
enum class Ready { readable, writable };
bool wait_socket(int socket, Ready ready, long milliseconds);

void enter_worker(void (*body)(Datum), Datum argument);

// Session-level advisory locks: they end with the process, so that they tell who is alive.
bool try_lock(const std::string &name);
void unlock(const std::string &name);
// Is the lock held by another session?
bool locked_elsewhere(const std::string &name);

}  // namespace migrator::pg

#define MIGRATOR_WORKER(name)                                    \
  static void name##_body();                                     \
  MIGRATOR_EXPORT void name(migrator::pg::Datum argument);       \
  MIGRATOR_EXPORT void name(migrator::pg::Datum argument) {      \
    migrator::pg::enter_worker([](migrator::pg::Datum) { name##_body(); }, argument); \
  }                                                              \
  static void name##_body()
