#pragma once
// Settings of consumers (GUCs), and which workers there are.

#include "pg/worker.hpp"

namespace migrator::consume {

extern int batch_records;      // most messages applied in one transaction
extern int batch_bytes;        // kB: bytes of messages beyond which a batch takes no further one

inline constexpr std::uint32_t k_look_deadline = 10000;  // ms that Kafka has to tell of topics

void define_settings();

inline constexpr pg::WorkerKind k_supervisor{"migrator_supervisor_main", "migrator supervisor"};
inline constexpr pg::WorkerKind k_consumer{"migrator_consumer_main", "migrator consumer"};
inline constexpr pg::WorkerKind k_housekeeper{"migrator_housekeeper_main", "migrator housekeeper"};

}  // namespace migrator::consume
