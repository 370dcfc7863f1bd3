#include "base/error.hpp"
#include "message/boi_input.hpp"
#include "pg/spi.hpp"
#include "publish/sources.hpp"

namespace migrator::publish {
namespace {

using pg::Kind;
enum { k_tid, k_xmin, k_owner, k_target };
std::vector<Kind> kinds() { return {Kind::tid, Kind::xid, Kind::text, Kind::text}; }
// Keys are always fetched, whatever the topic takes: the claim's range is made of them. The index bounds them.
constexpr std::size_t k_key_limit = 1 << 20;

}  // namespace

LinksSource::LinksSource(const Context &context)
    : context_(context), names_(context.table), record_head_(record_head(context_, "link", names_)) {
  const migration::InTable &table = context.table;
  pair_ = "(" + table.owner_column + ", " + table.target_column + ")";
  select_ = "select ctid, xmin, " + table.owner_column + "::text, " + table.target_column + "::text from " + table.quoted;
  claimed_ = " where " + pair_ + " >= ($1, $2) and " + pair_ + " <= ($3, $4) and in_status = 'ON_WORK'";
}

bool LinksSource::encode(const pg::RowCursor &row, Batch &batch, Refusal &refusal) {
  const pg::Value &owner = row[k_owner], &target = row[k_target];
  if (owner.unencodable || target.unencodable) {
    refusal = {{}, std::string(owner.raw), owner.unencodable ? context_.table.owner_column : context_.table.target_column,
               sqlstate::not_representable, "not valid in UTF-8"};
    return false;
  }
  record_id_.assign(record_head_).append(std::to_string(owner.text.size())).append(":").append(owner.text).append(".").append(target.text);
  value_.clear();
  message::append_link(value_, record_id_, owner.text, names_.bo,
                       {names_.field, names_.target_bo, target.text});
  if (value_.size() + owner.text.size() > context_.limit) {
    refusal = {{}, std::string(owner.raw), "", sqlstate::program_limit, "message of " + std::to_string(value_.size()) + " bytes; topic " +
               context_.table.topic + " takes " + std::to_string(context_.limit)};
    return false;
  }
  batch.messages.append({context_.topic, owner.text, value_});
  batch.keys.push_back({std::string(owner.raw), std::string(target.raw)});
  return true;
}

Claim LinksSource::claim(const migration::Task &task, Batch &batch) {
  Claim claim;
  pg::Boundary const boundary(context_.boundary);
  TidList claimed, refused;
  std::vector<Refusal> refusals;
  std::string const limit = " order by " + context_.table.owner_column + ", " + context_.table.target_column + " limit ";
  {
    pg::AsRole const as_owner(context_.table.owner);
    std::vector<pg::Text> parameters;
    std::string where = " where in_status = ''";
    if (!task.position.empty()) {
      Key const position = parse_key(task.position);
      parameters = {position.at(0), position.at(1)};
      where += " and " + pair_ + " > ($1, $2)";
    }
    pg::RowCursor rows(select_ + where + limit + std::to_string(context_.most_rows), parameters, kinds(), k_key_limit);
    std::int64_t seen = 0;
    claim.exhausted = true;
    while (rows.next()) {
      seen++;
      Key key{std::string(rows[k_owner].raw), std::string(rows[k_target].raw)};
      if (claim.from.empty()) claim.from = key;
      claim.to = std::move(key);
      if (boundary.includes(static_cast<std::uint32_t>(rows[k_xmin].integer))) {
        Refusal refusal;
        if (encode(rows, batch, refusal)) {
          claimed.add(rows[k_tid].integer);
        } else {
          refused.add(rows[k_tid].integer);
          refusals.push_back(std::move(refusal));
        }
      }
      if (batch.messages.size() >= context_.most_bytes || refusals.size() >= k_most_refusals) {
        claim.exhausted = false;
        break;
      }
    }
    if (seen == context_.most_rows) claim.exhausted = false;
  }
  mark(claimed, "ON_WORK");
  mark(refused, "ERROR");
  write_refusals(context_, refusals);
  claim.rows = claimed.count;
  claim.refused = refused.count;
  return claim;
}

void LinksSource::mark(const TidList &rows, const char *status) {
  if (rows.count == 0) return;
  pg::AsRole const as_owner(context_.table.owner);
  std::uint64_t const touched = pg::execute("update " + context_.table.quoted + " set in_status = $1 where ctid = any ($2::tid[])",
                                            {status, rows.literal()}).processed;
  if (touched != static_cast<std::uint64_t>(rows.count)) throw Error("40001", "rows changed while they were claimed");
}

std::vector<pg::Text> LinksSource::range(const Chunk &chunk) const {
  return {chunk.from.at(0), chunk.from.at(1), chunk.to.at(0), chunk.to.at(1), chunk.claim_xid};
}

void LinksSource::read_again(const Chunk &chunk, Batch &batch) {
  pg::AsRole const as_owner(context_.table.owner);
  pg::RowCursor rows(select_ + claimed_ + " and xmin = $5::xid order by " + context_.table.owner_column + ", " + context_.table.target_column,
                     range(chunk), kinds(), k_key_limit);
  Refusal refusal;
  while (rows.next())
    if (!encode(rows, batch, refusal)) throw Error(sqlstate::internal, "a claimed link cannot be encoded any more: " + refusal.reason);
}

std::int64_t LinksSource::finish(const Chunk &chunk) {
  pg::AsRole const as_owner(context_.table.owner);
  auto const done = static_cast<std::int64_t>(
      pg::execute("update " + context_.table.quoted + " set in_status = 'DONE'" + claimed_ + " and xmin = $5::xid", range(chunk)).processed);
  release(chunk);
  return done;
}

void LinksSource::release(const Chunk &chunk) {
  pg::AsRole const as_owner(context_.table.owner);
  std::vector<pg::Text> parameters = range(chunk);
  parameters.pop_back();
  pg::execute("update " + context_.table.quoted + " set in_status = ''" + claimed_, parameters);
}

void LinksSource::refuse(const Chunk &chunk, const std::vector<Refusal> &refusals) {
  for (const Refusal &refusal : refusals) {
    pg::AsRole const as_owner(context_.table.owner);
    std::vector<pg::Text> parameters = range(chunk);
    parameters.push_back(refusal.key.at(0));
    parameters.push_back(refusal.key.at(1));
    pg::execute("update " + context_.table.quoted + " set in_status = 'ERROR'" + claimed_ + " and xmin = $5::xid and " + pair_ + " = ($6, $7)", parameters);
  }
  write_refusals(context_, refusals);
}

}  // namespace migrator::publish
