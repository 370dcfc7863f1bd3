#include "consume/settings.hpp"

#include "pg/settings.hpp"

namespace migrator::consume {

int batch_records = 5000;
int batch_bytes = 4096;

void define_settings() {
  pg::define_integer("migrator.batch_records", "Most messages from Kafka that are applied in one transaction.", &batch_records, 5000, 1,
                     100000, "");
  pg::define_integer("migrator.batch_bytes", "Bytes of messages from Kafka beyond which a transaction takes no further one.", &batch_bytes,
                     4096, 1, 65536, "kB");
}

}  // namespace migrator::consume
