#pragma once
// What goes wrong with Kafka, as the worker is told it.

#include <librdkafka/rdkafka.h>

#include <exception>
#include <string>
#include <utility>

#include "wire/protocol.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

class Failure final : public std::exception {
public:
  explicit Failure(wire::Failed failed) : failed_(std::move(failed)) {}
  const char *what() const noexcept override { return failed_.text.c_str(); }
  const wire::Failed &failed() const noexcept { return failed_; }

private:
  wire::Failed failed_;
};

// Which of the worker's answers a code of librdkafka asks for.
wire::Fault fault_of(rd_kafka_resp_err_t code) noexcept;
// True for what the cluster or its operator must change; time alone does not help.
inline bool permanent(rd_kafka_resp_err_t code) noexcept { return fault_of(code) == wire::Fault::refused; }

// The text is `doing: what Kafka said`.
Failure failure(rd_kafka_resp_err_t code, const std::string &doing, const std::string &said = {});
// From an error object; looks behind "_FATAL" for the code that caused it.
Failure failure(rd_kafka_t *handle, const rd_kafka_error_t *error, const std::string &doing);

}  // namespace migrator::kafka
