#pragma once
// The supervisor's part of the bookkeeping: which partitions there are, and which consumer reads them.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "consume/consumption.hpp"
#include "server/client.hpp"

namespace migrator::consume {

class Partitions {
public:
  // watch is called about four times a second while Kafka is waited for; what it throws ends the wait.
  Partitions(const Consumption &consumption, std::function<void()> watch) : consumption_(consumption), watch_(std::move(watch)) {}

  // Asks Kafka and writes down what is new: topics, partitions, their ends. Raises 08006 if Kafka does not answer.
  void look(const Control &control);
  // Gives each partition to one of so many consumers; returns how many of these have any.
  int distribute(int consumers) const;
  void close() { client_.reset(); }

private:
  const Consumption &consumption_;
  std::function<void()> watch_;
  std::unique_ptr<server::Client> client_;
  std::string server_;             // that client_ is connected to
};

}  // namespace migrator::consume
