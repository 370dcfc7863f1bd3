#pragma once
// The three kinds of Source; see publish/source.hpp.

#include "pg/row_cursor.hpp"
#include "publish/source.hpp"

namespace migrator::publish {

// Rows are written to err one by one; so many of them end a claim early.
inline constexpr std::size_t k_most_refusals = 10000;

// Physical addresses of rows, as the text of a tid[].
struct TidList {
  std::string text;
  std::int64_t count = 0;

  void add(std::int64_t tid) {
    text += count++ == 0 ? "{\"" : ",\"";
    text += pg::tid_text(tid) + "\"";
  }
  std::string literal() const { return text + "}"; }
};

class FieldsSource final : public Source {
public:
  explicit FieldsSource(const Context &context);
  const char *kind() const noexcept override { return "FIELDS"; }
  Claim claim(const migration::Task &task, Batch &batch) override;
  void read_again(const Chunk &chunk, Batch &batch) override;
  std::int64_t finish(const Chunk &chunk) override;
  void release(const Chunk &chunk) override;
  void refuse(const Chunk &chunk, const std::vector<Refusal> &refusals) override;

private:
  enum class Outcome { encoded, skipped, refused };
  Outcome encode(const pg::RowCursor &row, Batch &batch, Refusal &refusal);
  void mark(const TidList &rows, const char *status);
  std::vector<pg::Text> range(const Chunk &chunk) const;

  Context context_;
  Names names_;
  std::vector<std::string> fields_;  // codes in UTF-8, of all columns of the layout
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
  std::int64_t finish(const Chunk &chunk) override;
  void release(const Chunk &chunk) override;
  void refuse(const Chunk &chunk, const std::vector<Refusal> &refusals) override;

private:
  bool encode(const pg::RowCursor &row, Batch &batch, Refusal &refusal);
  void mark(const TidList &rows, const char *status);
  std::vector<pg::Text> range(const Chunk &chunk) const;

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
  std::int64_t finish(const Chunk &chunk) override;
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
