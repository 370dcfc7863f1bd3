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
  batch.keys.append({owner.raw, target.raw});
  return true;
}

Claim LinksSource::claim(const migration::Task &task, Batch &batch) {
  Claim claim;
  pg::Boundary const boundary(context_.boundary);
  std::vector<pg::RowVersion> refused;
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
    rows.each([&] {
      seen++;
      Key key{std::string(rows[k_owner].raw), std::string(rows[k_target].raw)};
      if (claim.from.empty()) claim.from = key;
      claim.to = std::move(key);
      pg::RowVersion const row{rows[k_tid].integer, static_cast<std::uint32_t>(rows[k_xmin].integer)};
      if (boundary.includes(row.xmin)) {
        Refusal refusal;
        if (encode(rows, batch, refusal)) {
          batch.rows.push_back(row);
        } else {
          refused.push_back(row);
          refusals.push_back(std::move(refusal));
        }
      }
      if (batch.messages.size() >= context_.most_bytes || refusals.size() >= k_most_refusals) {
        claim.exhausted = false;
        return false;
      }
      return true;
    });
    if (seen == context_.most_rows) claim.exhausted = false;
    batch.reading += rows.reading();
  }
  write_refusals(context_, refusals);
  claim.rows = static_cast<std::int64_t>(batch.rows.size());
  claim.refused = static_cast<std::int64_t>(refused.size());
  claim.writing = claim_rows(context_.table, batch.rows, {{"in_status", "ON_WORK"}});
  claim.writing += claim_rows(context_.table, refused, {{"in_status", "ERROR"}});
  return claim;
}

std::vector<pg::Text> LinksSource::range(const Chunk &chunk) const {
  return {chunk.from.at(0), chunk.from.at(1), chunk.to.at(0), chunk.to.at(1), chunk.claim_xid};
}

void LinksSource::read_again(const Chunk &chunk, Batch &batch) {
  pg::AsRole const as_owner(context_.table.owner);
  pg::RowCursor rows(select_ + claimed_ + " and xmin = $5::xid order by " + context_.table.owner_column + ", " + context_.table.target_column,
                     range(chunk), kinds(), k_key_limit);
  Refusal refusal;
  rows.each([&] {
    if (!encode(rows, batch, refusal)) throw Error(sqlstate::internal, "a claimed link cannot be encoded any more: " + refusal.reason);
    return true;
  });
}

ClaimedRows LinksSource::claimed(const Chunk &chunk) const {
  std::vector<pg::Text> parameters = range(chunk);
  parameters.pop_back();
  return {context_.table, claimed_, parameters, chunk.claim_xid, {{"in_status", ""}}};
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
