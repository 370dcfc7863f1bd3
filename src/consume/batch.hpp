#pragma once
// What one poll brought: messages, and how far each partition is read by them.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consume/consumption.hpp"
#include "store/applier.hpp"
#include "wire/records.hpp"

namespace migrator::consume {

// The last record applied from a partition. Another one at its offset tells that the topic was created anew.
struct Witness {
  std::int64_t offset = -1;    // -1: none
  std::int64_t timestamp = 0;  // ms since 1970
  std::int64_t digest = 0;
  bool operator==(const Witness &) const = default;
};
Witness witness_of(const wire::Record &record) noexcept;

struct Partition {
  std::string topic;
  std::int32_t number = 0;
  std::string cluster;         // where it was read so far; "": nowhere
  std::int64_t next = 0;       // everything below is applied
  Witness witness;
  bool readable = false;
};

// Thrown when a partition is not what it was: it stops until somebody decides.
struct Unlike {
  std::size_t partition;
  std::string reason;
};

struct Batch {
  std::string payload;                      // the Records frame
  std::vector<wire::Record> records;        // to be applied; they point into the payload
  std::vector<Partition> after;             // all partitions, as they will stand
  std::chrono::steady_clock::time_point received = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration waited;  // for it

  // Takes the frame apart. Throws Unlike.
  Batch(std::string frame, std::vector<Partition> before, std::chrono::steady_clock::duration waited);
};

struct BatchContext {
  const Consumption &consumption;
  int number;                               // of the consumer
  const std::vector<Partition> &before;
  const std::string &cluster;
  bool track_timings;
};

// Applies a batch and moves the partitions, in one transaction. False: they are not ours any more, nothing was done.
// Throws what is no fault of a message.
bool apply(const BatchContext &context, const Batch &batch, store::Applier &applier);

}  // namespace migrator::consume
