#include "publish/sources.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/fault.hpp"
#include "message/api_value.hpp"
#include "message/boi_input.hpp"
#include "pg/encoding.hpp"
#include "pg/row_cursor.hpp"
#include "pg/spi.hpp"
#include "pg/transaction.hpp"

namespace migrator::publish {
namespace {

using pg::Kind;

constexpr std::int64_t k_piece = 5000;  // rows that are read under one snapshot

// Columns that every query returns first.
enum { k_tid, k_xmin, k_id, k_in_id, k_out_id, k_removed, k_first_field };

Kind kind_of(const std::string &type) {
  if (type == "date") return Kind::timestamp;
  if (type == "flag") return Kind::flag;
  if (type == "number") return Kind::number;
  return Kind::text;
}

// The cast costs nothing on the columns that the DDL made, and copes with what a supplier made of them: a date knows years
// for which there is no timestamp.
std::string read_as(Kind kind, const std::string &column) {
  switch (kind) {
    case Kind::timestamp:
      return "case when " + column + " between '0001-12-30 BC' and '10000-01-02' then " + column + "::timestamp with time zone when " + column +
             " is not null then 'infinity' end";
    case Kind::flag: return column + "::boolean";
    case Kind::number: return column + "::numeric";
    default: return column + "::text";
  }
}

}  // namespace

FieldsSource::FieldsSource(const Context &context) : context_(context), names_(context.table), record_head_(record_head(context_, "row", names_)) {
  select_ = "select ctid, xmin, id::bigint, in_id::text, out_id::text, coalesce(removed, false)";
  kinds_ = {Kind::tid, Kind::xid, Kind::bigint, Kind::text, Kind::text, Kind::flag};
  for (const migration::FieldColumn &field : context.table.columns) {
    heads_.emplace_back(pg::to_utf8(field.field));
    if (field.column.empty()) continue;  // the key field: its value is in_id
    Kind const kind = kind_of(field.type);
    select_ += ", " + read_as(kind, pg::quote_identifier(field.column));
    kinds_.push_back(kind);
  }
  select_ += " from " + context.table.quoted;
}

FieldsSource::Outcome FieldsSource::encode(const pg::RowCursor &row, Batch &batch, Refusal &refusal) {
  auto const refuse = [&](const std::string &column, const char *code, std::string reason) {
    refusal = {{std::to_string(row[k_id].integer)}, std::nullopt, column, code, std::move(reason)};
    if (!row[k_in_id].null && !row[k_in_id].oversize) refusal.in_id = std::string(row[k_in_id].raw);
    return Outcome::refused;
  };
  auto const too_large = [&](const std::string &column, std::uint64_t size) {
    return refuse(column, sqlstate::program_limit,
                  "message of " + std::to_string(size) + " bytes or more; topic " + context_.table.topic + " takes " +
                      std::to_string(context_.limit));
  };
  if (row[k_in_id].null) return refuse("in_id", "23502", "in_id is null");
  for (std::size_t column : {std::size_t{k_in_id}, std::size_t{k_out_id}}) {
    const char *name = column == k_in_id ? "in_id" : "out_id";
    if (row[column].unencodable) return refuse(name, sqlstate::not_representable, "not valid in UTF-8");
    if (row[column].oversize) return too_large(name, static_cast<std::uint64_t>(row[column].integer));
  }
  std::string_view const in_id = row[k_in_id].text;
  bool const removed = row[k_removed].integer != 0;
  value_.clear();
  std::string const id = std::to_string(row[k_id].integer);
  record_id_.assign(record_head_).append(id);
  message::FieldsWriter writer(value_);
  writer.begin(record_id_, in_id, row[k_out_id].null ? std::string_view() : row[k_out_id].text, names_.bo);
  if (!removed) {
    std::size_t column = k_first_field, nth = 0;
    for (const migration::FieldColumn &field : context_.table.columns) {
      message::FieldHead const &head = heads_[nth++];
      if (field.column.empty()) {
        writer.text(head, in_id);
        continue;
      }
      const pg::Value &value = row[column++];
      if (value.null) continue;
      if (value.oversize) return too_large(field.column, static_cast<std::uint64_t>(value.integer));
      if (value.unencodable) return refuse(field.column, sqlstate::not_representable, "not valid in UTF-8");
      switch (kinds_[column - 1]) {
        case Kind::timestamp:
          writer.open_value(head);
          if (!message::append_date(value_, value.integer))
            return refuse(field.column, sqlstate::datetime_out_of_range, "a date must lie in the years 1 to 9999");
          writer.close_value();
          break;
        case Kind::number:
          writer.open_value(head);
          if (!message::append_number(value_, value.text))
            return refuse(field.column, sqlstate::numeric_out_of_range, "a number must be finite");
          writer.close_value();
          break;
        case Kind::flag:
          writer.open_value(head);
          value_ += value.integer != 0 ? "true" : "false";
          writer.close_value();
          break;
        default: writer.text(head, value.text);
      }
    }
    if (!writer.has_fields()) return Outcome::skipped;
  }
  writer.end(removed ? "REMOVED" : "ACTUAL");
  if (value_.size() + in_id.size() > context_.limit) return too_large("", value_.size() + in_id.size());
  batch.messages.append({context_.topic, in_id, value_});
  batch.keys.append({id});
  return Outcome::encoded;
}

// Read in pieces, each with a snapshot of its own; the rows are marked at the end, all at once. So neither a snapshot nor a
// transaction id is held for long, and what other publishers have left behind can be pruned before they need the room.
Claim FieldsSource::claim(const migration::Task &task, Batch &batch) {
  Claim claim;
  pg::Boundary const boundary(context_.boundary);
  std::string position = task.position.empty() ? "" : parse_key(task.position).at(0);
  std::vector<pg::RowVersion> skipped, refused;
  std::vector<Refusal> refusals;
  bool full = false;
  for (std::int64_t left = context_.most_rows; left > 0 && !full && !claim.exhausted;) {
    pg::renew_snapshot();
    std::int64_t const most = std::min(left, k_piece);
    std::int64_t seen = 0;
    pg::AsRole const as_owner(context_.table.owner);
    pg::RowCursor rows(select_ + (position.empty() ? " where id >= $1::bigint" : " where id > $1::bigint") +
                           " and id <= $2::bigint and in_status = '' order by id limit $3::bigint",
                       {position.empty() ? task.range_from : pg::Text(position), task.range_to, std::to_string(most)}, kinds_, context_.limit);
    rows.each([&] {
      seen++;
      position = std::to_string(rows[k_id].integer);
      if (claim.from.empty()) claim.from = {position};
      pg::RowVersion const row{rows[k_tid].integer, static_cast<std::uint32_t>(rows[k_xmin].integer)};
      if (boundary.includes(row.xmin)) {
        Refusal refusal;
        switch (encode(rows, batch, refusal)) {
          case Outcome::encoded: batch.rows.push_back(row); break;
          case Outcome::skipped: skipped.push_back(row); break;
          case Outcome::refused: refused.push_back(row); refusals.push_back(std::move(refusal)); break;
        }
      }
      full = batch.messages.size() >= context_.most_bytes || refusals.size() >= k_most_refusals;
      return !full;
    });
    claim.exhausted = !full && seen < most;
    batch.reading += rows.reading();
    left -= seen;
  }
  if (!claim.from.empty()) claim.to = {position};
  claim.rows = static_cast<std::int64_t>(batch.rows.size());
  claim.skipped = static_cast<std::int64_t>(skipped.size());
  claim.refused = static_cast<std::int64_t>(refused.size());
  claim.writing = mark(batch.rows, "ON_WORK") + mark(skipped, "SKIPPED") + mark(refused, "ERROR");
  write_refusals(context_, refusals);
  return claim;
}

std::chrono::microseconds FieldsSource::mark(std::vector<pg::RowVersion> &rows, const char *status) {
  if (rows.empty()) return {};
  std::string const now = pg::execute("select clock_timestamp()").text();
  return claim_rows(context_.table, rows, {{"in_status", status}, {"occupied_id", std::to_string(context_.migration)}, {"occupied_at", now}});
}

namespace {
constexpr const char *k_claimed = " where id between $1::bigint and $2::bigint and in_status = 'ON_WORK' and occupied_id = $3::bigint";
const char *unchanged() { return MIGRATOR_MUTATION("changed_rows_pass") ? "" : " and xmin = $4::xid"; }
}

std::vector<pg::Text> FieldsSource::range(const Chunk &chunk) const {
  return {chunk.from.at(0), chunk.to.at(0), std::to_string(context_.migration), chunk.claim_xid};
}

ClaimedRows FieldsSource::claimed(const Chunk &chunk) const {
  std::vector<pg::Text> parameters = range(chunk);
  parameters.pop_back();
  return {context_.table, k_claimed, parameters, chunk.claim_xid, {{"in_status", ""}, {"occupied_id", {}}, {"occupied_at", {}}}};
}

void FieldsSource::read_again(const Chunk &chunk, Batch &batch) {
  pg::AsRole const as_owner(context_.table.owner);
  pg::RowCursor rows(select_ + k_claimed + unchanged() + " order by id", range(chunk), kinds_, context_.limit);
  Refusal refusal;
  rows.each([&] {
    if (encode(rows, batch, refusal) != Outcome::encoded)
      throw Error(sqlstate::internal, "a claimed row cannot be encoded any more: " + refusal.reason);
    return true;
  });
}

void FieldsSource::refuse(const Chunk &chunk, const std::vector<Refusal> &refusals) {
  std::vector<std::string> ids;
  for (const Refusal &refusal : refusals) ids.push_back(refusal.key.at(0));
  pg::Result rows;
  {
    pg::AsRole const as_owner(context_.table.owner);
    std::vector<pg::Text> parameters = range(chunk);
    parameters.push_back(pg::array_literal(ids));
    rows = pg::execute("update " + context_.table.quoted + " set in_status = 'ERROR'" + k_claimed +
                           " and xmin = $4::xid and id = any ($5::bigint[]) returning id, in_id",
                       parameters);
  }
  std::map<std::string, pg::Text> in_ids;
  for (const std::vector<pg::Text> &row : rows.rows) in_ids.emplace(row[0].value(), row[1]);
  std::vector<Refusal> named = refusals;
  for (Refusal &refusal : named)
    if (auto const found = in_ids.find(refusal.key.at(0)); found != in_ids.end()) refusal.in_id = found->second;
  write_refusals(context_, named);
}

}  // namespace migrator::publish
