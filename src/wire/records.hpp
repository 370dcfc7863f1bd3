#pragma once
// Records frames: what was read from Kafka, on its way to a worker.

#include <optional>
#include <string>
#include <string_view>

#include "wire/protocol.hpp"

#include "base/no_postgres.hpp"

namespace migrator::wire {

// One Records frame.
class RecordsWriter {
public:
  // expected: bytes for which memory is taken at once.
  explicit RecordsWriter(std::size_t expected = 0);
  // Whether the record still fits into the frame; the first one always should.
  bool fits(const Record &record) const noexcept;
  // Throws, and leaves the frame as it was, if it does not.
  void append(const Record &record);
  std::size_t size() const noexcept { return buffer_.size(); }
  std::string finish() &&;

private:
  std::string buffer_;
};

// The entries of one Records payload, without a copy: the views point into the payload.
class RecordsReader {
public:
  explicit RecordsReader(std::string_view payload) noexcept : rest_(payload) {}
  explicit RecordsReader(std::string &&) = delete;
  // The next entry; none at the end. Throws if the payload ends inside one, or its flags make no sense.
  std::optional<Record> next();

private:
  std::string_view rest_;
};

}  // namespace migrator::wire
