#include <algorithm>
#include <limits>
#include <unordered_set>

#include "message/boi_input.hpp"
#include "pg/spi.hpp"
#include "publish/sources.hpp"

namespace migrator::publish {
namespace {

constexpr std::int64_t k_owners = 10000;  // of one claim
// Beyond this a list is cut into several messages, far below what brokers take.
constexpr std::size_t k_part_bytes = 256 * 1024;

}  // namespace

CheckSource::CheckSource(const Context &context) : context_(context), names_(context.table), record_head_(record_head(context_, "check", names_)) {
  xids_ = pg::execute("select coalesce(array_agg(distinct finish_xid::text), '{}') from migrator.chunk "
                      "where migration_id = $1::bigint and table_name = $2 and kind = 'LINKS' and state = 'DONE'",
                      {std::to_string(context.migration), context.table.name})
              .text();
}

std::vector<std::string> CheckSource::owners(const std::string &condition, const std::vector<pg::Text> &parameters) const {
  pg::AsRole const as_owner(context_.table.owner);
  std::string const &owner = context_.table.owner_column;
  std::vector<pg::Text> all{xids_};
  all.insert(all.end(), parameters.begin(), parameters.end());
  pg::Result const rows = pg::execute("select distinct " + owner + "::text from " + context_.table.quoted +
                                          " where in_status = 'DONE' and xmin = any ($1::xid[])" + condition + " order by 1 limit " +
                                          std::to_string(k_owners),
                                      all);
  std::vector<std::string> result;
  for (const std::vector<pg::Text> &row : rows.rows) result.push_back(row[0].value());
  return result;
}

void CheckSource::flush(const std::string &owner, const std::string &external_id, int part, std::vector<std::string> &targets,
                        Batch &batch) {
  std::vector<message::Link> links;
  for (const std::string &target : targets) links.push_back({names_.field, names_.target_bo, target});
  value_.clear();
  message::append_reference_check(value_, record_head_ + std::to_string(part) + "." + external_id, external_id, names_.bo, links);
  batch.messages.append({context_.topic, external_id, value_});
  batch.keys.append({owner});
  targets.clear();
}

// One ordered pass over the range of the owners; what belongs to others is passed over. Ends early, after a whole
// owner, when the batch is full. Returns the last owner that is in it.
std::string CheckSource::encode(const std::vector<std::string> &owners, Batch &batch) {
  if (owners.empty()) return "";
  std::unordered_set<std::string> const wanted(owners.begin(), owners.end());
  // A part is a message, and must fit into one with room for its head.
  std::size_t const part_bytes = std::min<std::size_t>(k_part_bytes, context_.limit / 2);
  pg::AsRole const as_owner(context_.table.owner);
  std::string const &owner = context_.table.owner_column, &target = context_.table.target_column;
  pg::RowCursor rows("select " + owner + "::text, " + target + "::text from " + context_.table.quoted + " where " + owner + " >= $1 and " +
                         owner + " <= $2 and in_status = 'DONE' order by " + owner + ", " + target,
                     {owners.front(), owners.back()}, {pg::Kind::text, pg::Kind::text}, context_.limit);
  std::string current, external_id;
  std::vector<std::string> targets;
  std::size_t bytes = 0;
  int part = 0;
  bool full = false;
  rows.each([&] {
    if (!wanted.contains(std::string(rows[0].raw))) return true;
    bool const other = rows[0].raw != current;
    if (!targets.empty() && (other || bytes > part_bytes)) {
      flush(current, external_id, part, targets, batch);
      bytes = 0;
      part = other ? 0 : part + 1;
      full = other && batch.messages.size() >= context_.most_bytes;
      if (full) return false;
    }
    if (other) part = 0;
    current = rows[0].raw;
    external_id = rows[0].text;
    targets.emplace_back(rows[1].text);
    bytes += rows[1].text.size() + names_.field.size() + names_.target_bo.size() + 48;
    return true;
  });
  batch.reading += rows.reading();
  if (full) return current;
  if (!targets.empty()) flush(current, external_id, part, targets, batch);
  return owners.back();
}

Claim CheckSource::claim(const migration::Task &task, Batch &batch) {
  Claim claim;
  std::vector<std::string> const found =
      task.position.empty() ? owners("", {})
                            : owners(" and " + context_.table.owner_column + " > $2", {parse_key(task.position).at(0)});
  claim.exhausted = found.size() < static_cast<std::size_t>(k_owners);
  if (found.empty()) return claim;
  claim.from = {found.front()};
  claim.to = {encode(found, batch)};
  claim.exhausted = claim.exhausted && claim.to.front() == found.back();
  claim.rows = static_cast<std::int64_t>(batch.keys.size());
  return claim;
}

void CheckSource::read_again(const Chunk &chunk, Batch &batch) {
  context_.most_bytes = std::numeric_limits<std::uint64_t>::max();  // the chunk's range is the limit
  std::string const refused = pg::execute("select coalesce(refused, '{}') from migrator.chunk where id = $1::uuid", {chunk.id}).text();
  encode(owners(" and " + context_.table.owner_column + " >= $2 and " + context_.table.owner_column + " <= $3 and " + context_.table.owner_column +
                    " <> all ($4::text[])",
                {chunk.from.at(0), chunk.to.at(0), refused}),
         batch);
}

std::int64_t CheckSource::finish(const Chunk &chunk, std::vector<pg::RowVersion>) {
  return pg::execute("select rows from migrator.chunk where id = $1::uuid", {chunk.id}).bigint();
}

// There is no row that could bear the status: the chunk remembers the owners, and err tells.
void CheckSource::refuse(const Chunk &chunk, const std::vector<Refusal> &refusals) {
  Key owners;
  for (const Refusal &refusal : refusals) owners.push_back(refusal.key.at(0));
  pg::execute("update migrator.chunk set refused = coalesce(refused, '{}') || $2::text[] where id = $1::uuid", {chunk.id, key_literal(owners)});
  write_refusals(context_, refusals);
}

}  // namespace migrator::publish
