#pragma once
// Rows of a query in bulk: typed values straight from the executor. Lives inside one transaction; whatever it hands out is valid
// until the next row.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "pg/function.hpp"

namespace migrator::pg {

enum class Kind { text, timestamp, flag, number, bigint, xid, tid };

struct Value {
  bool null = true;
  bool oversize = false;    // text longer than the limit: not fetched, `integer` is its size in bytes
  bool unencodable = false; // text that has no form in UTF-8
  std::int64_t integer = 0; // timestamp: microseconds since 2000-01-01 UTC; flag: 0 or 1; tid: block << 16 | offset
  std::string_view text;    // text in UTF-8; number as numeric_out writes it
  std::string_view raw;     // text as the database has it, to find the row again
};

class RowCursor {
public:
  // columns: what the query's columns are, in order. text_limit: bytes beyond which a text is not fetched.
  RowCursor(const std::string &sql, const std::vector<Text> &parameters, std::vector<Kind> columns,
            std::size_t text_limit);
  ~RowCursor();
  RowCursor(const RowCursor &) = delete;
  RowCursor &operator=(const RowCursor &) = delete;

  // Calls take() for each row, which lies in the cursor then, until it returns false. It is called from within the executor, where
  // nothing is copied yet: it must not call PostgreSQL. What it throws is thrown here.
  template <typename Take> void each(Take &&take) {
    run([](void *function) { return static_cast<bool>((*static_cast<std::remove_reference_t<Take> *>(function))()); }, &take);
  }
  // Time spent in the query itself, without take(): from samples, since looking at the clock is dearer than many a row.
  std::chrono::microseconds reading() const;
  const Value &operator[](std::size_t column) const noexcept { return values_[column]; }

private:
  struct Receiver;  // the executor's view of us

  void run(bool (*take)(void *), void *function);
  void read_row(const void *slot);

  std::vector<Kind> columns_;
  std::vector<Value> values_;
  std::size_t text_limit_;
  void *portal_ = nullptr;
  void *context_ = nullptr;  // memory of the current row
  std::chrono::nanoseconds spent_{0}, sampled_{0};
};

// "(12,3)": the text form of a tid.
std::string tid_text(std::int64_t tid);

// Snapshots as sets of transactions: has the transaction of a row's xmin ended when the snapshot was taken?
class Boundary {
public:
  // From the text of a pg_snapshot, "xmin:xmax:xip,xip". Needs a transaction.
  explicit Boundary(const std::string &snapshot);
  bool includes(std::uint32_t xmin) const noexcept;

private:
  std::uint64_t next_;  // full transaction id beyond all that exist
  std::uint64_t xmin_ = 0, xmax_ = 0;
  std::vector<std::uint64_t> running_;
};

}  // namespace migrator::pg
