#pragma once
// The three kinds of Source; see publish/source.hpp.

#include "message/boi_input.hpp"
#include "pg/row_cursor.hpp"
#include "publish/claimed_rows.hpp"
#include "publish/source.hpp"

namespace migrator::publish {

// Rows are written to err one by one; so many of them end a claim early.
inline constexpr std::size_t k_most_refusals = 10000;

class FieldsSource final : public Source {
public:
  explicit FieldsSource(const Context &context);
  const char *kind() const noexcept override { return "FIELDS"; }
  Claim claim(const migration::Task &task, Batch &batch) override;
  void read_again(const Chunk &chunk, Batch &batch) override;
  std::int64_t finish(const Chunk &chunk, std::vector<pg::RowVersion> rows) override { return claimed(chunk).finish(std::move(rows)); }
  void release(const Chunk &chunk) override { claimed(chunk).release(); }
  void refuse(const Chunk &chunk, const std::vector<Refusal> &refusals) override;

private:
  enum class Outcome { encoded, skipped, refused };
  Outcome encode(const pg::RowCursor &row, Batch &batch, Refusal &refusal);
  std::chrono::microseconds mark(std::vector<pg::RowVersion> &rows, const char *status);
  std::vector<pg::Text> range(const Chunk &chunk) const;
  ClaimedRows claimed(const Chunk &chunk) const;

  Context context_;
  Names names_;
  std::vector<message::FieldHead> heads_;  // of all columns of the layout
  std::string select_;
  std::vector<pg::Kind> kinds_;
  std::string record_head_;
  std::string value_, record_id_;  // kept for their memory
};

class LinksSource final : public Source {
public:
  explicit LinksSource(const Context &context);
  const char *kind() const noexcept override { return "LINKS"; }
  Claim claim(const migration::Task &task, Batch &batch) override;
  void read_again(const Chunk &chunk, Batch &batch) override;
  std::int64_t finish(const Chunk &chunk, std::vector<pg::RowVersion> rows) override { return claimed(chunk).finish(std::move(rows)); }
  void release(const Chunk &chunk) override { claimed(chunk).release(); }
  void refuse(const Chunk &chunk, const std::vector<Refusal> &refusals) override;

private:
  bool encode(const pg::RowCursor &row, Batch &batch, Refusal &refusal);
  std::vector<pg::Text> range(const Chunk &chunk) const;
  ClaimedRows claimed(const Chunk &chunk) const;

  Context context_;
  Names names_;
  std::string select_, pair_, claimed_, record_head_;
  std::string value_, record_id_;
};

// Reads what LinksSource published in this run: for each owner one message with all its links of this table.
class CheckSource final : public Source {
public:
  explicit CheckSource(const Context &context);
  const char *kind() const noexcept override { return "CHECK"; }
  Claim claim(const migration::Task &task, Batch &batch) override;
  void read_again(const Chunk &chunk, Batch &batch) override;
  std::int64_t finish(const Chunk &chunk, std::vector<pg::RowVersion>) override;
  void release(const Chunk &) override {}
  void refuse(const Chunk &chunk, const std::vector<Refusal> &refusals) override;

private:
  std::vector<std::string> owners(const std::string &condition, const std::vector<pg::Text> &parameters) const;
  std::string encode(const std::vector<std::string> &owners, Batch &batch);
  void flush(const std::string &owner, const std::string &external_id, int part, std::vector<std::string> &targets, Batch &batch);

  Context context_;
  Names names_;
  std::string xids_;  // transactions that set links of this run to DONE, as an array literal
  std::string record_head_;
  std::string value_;
};

}  // namespace migrator::publish
