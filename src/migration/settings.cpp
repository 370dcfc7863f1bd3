#include "migration/settings.hpp"

#include "pg/settings.hpp"

namespace migrator::migration {

int heartbeat_timeout = 30;
int chunk_rows = 50000;
int chunk_bytes = 36864;
int schedule = 60;
int kafka_timeout = 60;

void define_settings() {
  pg::define_integer("migrator.heartbeat_timeout", "Age at which the heartbeat of a run is stale: its publishers end.",
                     &heartbeat_timeout, 30, 1, 3600, "s");
  pg::define_integer("migrator.chunk_rows", "Most rows that are claimed and published in one transaction.", &chunk_rows,
                     50000, 1, 1000000, "");
  pg::define_integer("migrator.chunk_bytes", "Most bytes of messages in one transaction.", &chunk_bytes, 36864, 64,
                     262144, "kB");
  pg::define_integer("migrator.schedule", "Interval at which the launcher tries to start migrations.", &schedule, 60, 1,
                     86400, "s");
  pg::define_integer("migrator.kafka_timeout", "Time that Kafka has for one answer; after it the client process is replaced.",
                     &kafka_timeout, 60, 5, 3600, "s");
}

}  // namespace migrator::migration
