#pragma once
// Settings of runs (GUCs), and which workers there are.

#include "pg/worker.hpp"

namespace migrator::migration {

extern int heartbeat_timeout;  // s: a heartbeat older than this is stale
extern int chunk_rows;         // most rows of a chunk
extern int chunk_bytes;        // kB: most bytes of a chunk's messages
extern int schedule;           // s: interval of the launcher
extern int kafka_timeout;      // s: for opening a slot, and for one transaction

void define_settings();

inline constexpr pg::WorkerKind k_runner{"migrator_runner_main", "migrator runner"};
inline constexpr pg::WorkerKind k_publisher{"migrator_publisher_main", "migrator publisher"};
inline constexpr pg::WorkerKind k_scheduler{"migrator_scheduler_main", "migrator scheduler"};

}  // namespace migrator::migration
