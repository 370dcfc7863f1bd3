// Slots: taking one, asking Kafka how its last transaction ended, going on from there. See publish/README.md.

#include <jansson.h>

#include <memory>
#include <set>

#include "base/error.hpp"
#include "base/fault.hpp"
#include "pg/error.hpp"
#include "pg/transaction.hpp"
#include "pg/worker.hpp"
#include "publish/publisher.hpp"

namespace migrator::publish {
namespace {

constexpr int k_slots = 64;                        // a server's slots, and the partitions of its marker topic
constexpr long k_others = 50;                      // ms between two looks at a slot that another publisher settles
constexpr int k_others_rounds = 60;

std::string number(std::int64_t value) { return std::to_string(value); }
std::string lock_name(const std::string &server, int slot) { return "slot " + server + "/" + std::to_string(slot); }

// The chunk that a marker names; empty if it is no marker of ours.
std::string chunk_of(const std::string &marker) {
  std::unique_ptr<json_t, decltype(&json_decref)> const root(json_loadb(marker.data(), marker.size(), 0, nullptr), json_decref);
  const char *chunk = json_string_value(json_object_get(root.get(), "chunk"));
  // The form of a UUID, as the comparison in SQL needs it.
  std::string const text = chunk != nullptr ? chunk : "";
  return text.size() == 36 && text.find_first_not_of("0123456789abcdef-") == std::string::npos ? text : "";
}

}  // namespace

// Makes sure that we hold an open slot and that no slot is left unsettled. Before a run claims anything, each slot
// that was ever used must have been opened once: only so a restored database is noticed before it repeats what
// Kafka has already. True: something was done.
bool Publisher::settle_a_slot() {
  std::string const &server = run_.layout().server;
  std::set<int> lent;  // slots with a chunk of another run on its way
  std::optional<int> unopened, left;  // a slot that is not settled; one where a chunk waits for somebody
  bool holding = false;               // our own slot has such a chunk
  bool others_settle = false;
  {
    pg::Transaction transaction;
    pg::Result const rows = pg::execute(
        "select s.slot, s.in_doubt, coalesce(s.recovered_for, 0) < $2::bigint or s.server_start is distinct from pg_postmaster_start_time() as unsettled, "
        "coalesce(c.migration_id = $2::bigint or m.state <> 'RUNNING', false) as ours, coalesce(c.migration_id <> $2::bigint and m.state = 'RUNNING', false), "
        "s.server_start = pg_postmaster_start_time() and "
        "exists (select from migrator.migration o where o.id = s.recovered_for and o.state = 'RUNNING' and o.id <> $2::bigint) "
        "from migrator.slot s left join migrator.chunk c on c.server = s.server and c.slot = s.slot and c.state = 'CLAIMED' "
        "left join migrator.migration m on m.id = c.migration_id where s.server = $1 order by s.slot",
        {server, number(run_.id())});
    for (const std::vector<pg::Text> &row : rows.rows) {
      int const slot = std::stoi(row[0].value());
      if (row[1]) throw Error(sqlstate::not_in_prerequisite_state, "in doubt: " + *row[1]);
      bool const unsettled = row[2] == "t" && !MIGRATOR_MUTATION("no_settling"), ours = row[3] == "t", others_run = row[5] == "t";
      if (row[4] == "t") lent.insert(slot);
      if (slot == slot_ && client_ != nullptr) {
        holding = ours;
        continue;
      }
      if (!unsettled && !ours) continue;
      std::optional<int> &first = unsettled ? unopened : left;
      if (slot == slot_) {
        first = first.value_or(slot);
      } else if (pg::try_lock(lock_name(server, slot))) {
        pg::unlock(lock_name(server, slot));
        first = first.value_or(slot);
      } else if (unsettled && !others_run && !MIGRATOR_MUTATION("others_slots_pass")) {
        others_settle = true;
      }
    }
    transaction.commit();
  }
  // Our own chunk comes before one that was left elsewhere: to take that up is to let ours go.
  if (std::optional<int> const next = unopened ? unopened : holding ? std::nullopt : left) {
    others_rounds_ = 0;
    open(*next);
    if (lent.contains(*next)) close();
    return true;
  }
  if (others_settle) {
    pg::wait(k_others);
    if (++others_rounds_ < k_others_rounds) return true;
    MIGRATOR_FAILPOINT("others_awaited");
    throw OthersSettle();
  }
  others_rounds_ = 0;
  if (client_ != nullptr) return false;
  if (slot_ >= 0) {  // after a taint: the same transactional id, so that what is still under way is fenced off
    open(slot_);
    return true;
  }
  for (int slot = 0; slot < k_slots; slot++) {
    if (lent.contains(slot)) continue;
    open(slot);
    if (client_ != nullptr) return true;
  }
  throw Error("53000", "no free slot for server \"" + server + "\"");
}

void Publisher::close() {
  client_.reset();
  if (slot_ < 0) return;
  pg::Transaction transaction;
  pg::unlock(lock_name(run_.layout().server, slot_));
  transaction.commit();
  slot_ = -1;
}

// Leaves client_ null if the slot belongs to another publisher.
void Publisher::open(int slot) {
  client_.reset();
  if (slot_ >= 0 && slot_ != slot) close();
  wire::Open request;
  {
    pg::Transaction transaction;
    if (slot_ != slot) {
      if (!pg::try_lock(lock_name(run_.layout().server, slot))) {
        transaction.commit();
        return;
      }
      slot_ = slot;
    }
    pg::execute("insert into migrator.slot (server, slot) values ($1, $2::integer) on conflict do nothing", {run_.layout().server, number(slot)});
    pg::Result const row = pg::execute(
        "update migrator.slot set restarts = restarts + 1, last_marker = coalesce(last_marker, gen_random_uuid()) where server = $1 and slot = $2::integer "
        "returning greatest(next_marker_offset - 1, 0), migrator.transactional_id(server, slot), migrator.marker_topic(), "
        "case when next_marker_offset = 0 then jsonb_build_object('v', 1, 'chunk', last_marker, 'kind', 'FIRST')::text else '' end",
        {run_.layout().server, number(slot)});
    request.properties = server::properties(run_.layout().server);
    request.marker_offset = row.bigint(0);
    request.transactional_id = row.text(1);
    request.marker_topic = row.text(2);
    if (!MIGRATOR_MUTATION("no_first_marker")) request.first_marker = row.text(3);
    if (std::optional<Chunk> const claimed = claimed_chunk_here()) request.wanted = claimed->id;
    transaction.commit();
  }
  request.marker_partition = static_cast<std::uint32_t>(slot);
  request.marker_partitions = k_slots;
  request.topics = topics_;
  request.deadline_ms = kafka_deadline();
  auto client = std::make_unique<server::Client>();
  client->set_watch([this] { watch(); });
  asked_ = Clock::now();
  std::string const answer = client->ask(wire::encode(request), wire::Type::opened, request.deadline_ms);
  client_ = std::move(client);
  recover(wire::decode<wire::Opened>(answer));
}

// After init_transactions nothing of the past can change any more: what the marker says is final.
void Publisher::recover(const wire::Opened &opened) {
  topic_info_ = opened.topics;
  std::string cluster, last, chunk;
  std::int64_t next = 0, accepted = -1;
  std::optional<Chunk> claimed;
  {
    pg::Transaction transaction;
    pg::Result const slot = pg::execute("select coalesce(cluster_id, ''), next_marker_offset, coalesce(accepted_offset, -1), last_marker from migrator.slot "
                                        "where server = $1 and slot = $2::integer", {run_.layout().server, number(slot_)});
    cluster = slot.text(0);
    next = slot.bigint(1);
    accepted = slot.bigint(2);
    last = slot.text(3);
    claimed = claimed_chunk_here();
    transaction.commit();
  }
  if (!cluster.empty() && cluster != opened.cluster_id)
    stop_in_doubt("server \"" + run_.layout().server + "\" leads to another Kafka cluster (" + opened.cluster_id + ") than before (" + cluster + ")", std::nullopt);
  if (opened.last) chunk = chunk_of(opened.last->value);
  // What was the newest marker must be so still, unless the chunk on its way has one by now.
  bool const unchanged = opened.last ? chunk == last && (next == 0 || opened.last->offset == next - 1) : next == 0;
  bool const ours = opened.last && claimed && chunk == claimed->id;
  if (!opened.last && !unchanged && !MIGRATOR_MUTATION("lost_markers_pass"))
    stop_in_doubt("the marker topic was truncated or made anew: partition " + number(slot_) + " ends at " + number(opened.marker_high) +
                      " and has no marker of ours any more, expected one at " + number(next - 1), std::nullopt);
  if (opened.last && !unchanged && !ours && opened.last->offset > accepted && !MIGRATOR_MUTATION("unknown_marker_passes"))
    stop_in_doubt("Kafka holds a marker of chunk " + chunk + " (slot " + number(slot_) + ", offset " + number(opened.last->offset) +
                      ") that this database does not know: it was restored from a backup, or another one publishes under its name",
                  opened.last->offset);

  std::optional<wire::Marker> found = opened.wanted;
  if (MIGRATOR_MUTATION("any_marker_counts")) found = opened.last;
  if (MIGRATOR_MUTATION("failed_means_unpublished")) found.reset();
  MIGRATOR_FAILPOINT("recovery_decided");
  if (claimed) settle_chunk(*claimed, found ? std::optional(found->offset) : std::nullopt);
  remember(opened.used);
  pg::Transaction transaction;
  pg::execute("update migrator.slot set cluster_id = $3, recovered_for = greatest(recovered_for, $4::bigint), recovered_at = clock_timestamp(), server_start = pg_postmaster_start_time() "
              "where server = $1 and slot = $2::integer",
              {run_.layout().server, number(slot_), opened.cluster_id, number(run_.id())});
  if (opened.last) note_marker(opened.last->offset, chunk);
  transaction.commit();
}

// In the current transaction: the newest marker of the slot, which may be known already. chunk: empty if it is none of ours.
void Publisher::note_marker(std::int64_t offset, const std::string &chunk) const {
  pg::execute("update migrator.slot set next_marker_offset = $3::bigint + 1, last_marker = nullif($4, '')::uuid "
              "where server = $1 and slot = $2::integer and next_marker_offset <= $3::bigint",
              {run_.layout().server, number(slot_), number(offset), chunk});
}

// A backup may be older than the first use of a slot. Kafka remembers: what this database does not know is opened next. A transaction
// of its own, which meets no row that another publisher is writing: each of them comes here with the same list.
void Publisher::remember(const std::vector<std::uint32_t> &used) const {
  if (MIGRATOR_MUTATION("forgotten_slots_pass")) return;
  std::vector<std::string> slots;
  for (std::uint32_t slot : used) slots.push_back(number(slot));
  pg::Transaction transaction;
  pg::execute("insert into migrator.slot (server, slot) select $1, u.slot from unnest($2::integer[]) u (slot) "
              "where not exists (select from migrator.slot s where s.server = $1 and s.slot = u.slot) order by u.slot on conflict do nothing",
              {run_.layout().server, pg::array_literal(slots)});
  transaction.commit();
}

// What an earlier process left behind. A chunk of our own run that Kafka does not have stays: it is published next.
void Publisher::settle_chunk(const Chunk &chunk, std::optional<std::int64_t> marker_offset) {
  pg::Transaction transaction;
  pg::Result const owner = pg::execute("select company, state from migrator.migration where id = $1::bigint", {number(chunk.migration)});
  if (!marker_offset && owner.text(1) == "RUNNING") return;
  // The run may have been another company's.
  migration::Layout const layout = migration::read_layout(owner.text(0));
  const migration::InTable *table = layout.find(chunk.table);
  if (table == nullptr) {
    // Nothing is left that could bear a status; the slot must not stand still for it.
    pg::execute("update migrator.chunk set state = $2, finished_at = clock_timestamp() where id = $1::uuid",
                {chunk.id, marker_offset ? "DONE" : "RELEASED"});
    if (marker_offset) note_marker(*marker_offset, chunk.id);
    pg::execute("insert into in_migration.errors (company, migration_id, place, sqlstate, message) values ($1, $2::bigint, 'recovery', '42P01', $3)",
                {owner.text(0), number(chunk.migration), "table \"" + chunk.table + "\" of a chunk on its way is not in the structure any more"});
    transaction.commit();
    return;
  }
  Context const of_chunk{layout, *table, chunk.migration, "", "", 0, 0, 0, 0};
  std::unique_ptr<Source> const source = make_source(chunk.kind, of_chunk);
  if (marker_offset) {
    finish(transaction, layout, chunk, *source, {.marker_offset = *marker_offset});
  } else {  // its run is over, nothing was published: the rows go with this run or a later one
    source->release(chunk);
    pg::execute("update migrator.chunk set state = 'RELEASED', finished_at = clock_timestamp() where id = $1::uuid", {chunk.id});
    transaction.commit();
  }
}

// In the current transaction: the chunk of our slot whose outcome is open.
std::optional<Chunk> Publisher::claimed_chunk_here() const {
  pg::Result const row = pg::execute(
      "select id, migration_id, task_id, kind, table_name, range_from, range_to, claim_xid from migrator.chunk "
      "where server = $1 and slot = $2::integer and state = 'CLAIMED'",
      {run_.layout().server, number(slot_)});
  if (row.empty()) return std::nullopt;
  return Chunk{row.text(0), row.bigint(1), row.bigint(2), row.text(3), row.text(4), parse_key(row.text(5)), parse_key(row.text(6)), row.text(7)};
}

std::optional<Chunk> Publisher::claimed_chunk() {
  pg::Transaction transaction;
  std::optional<Chunk> chunk = claimed_chunk_here();
  transaction.commit();
  return chunk;
}

void Publisher::stop_in_doubt(const std::string &reason, std::optional<std::int64_t> offset) {
  client_.reset();
  pg::Transaction transaction;
  pg::execute("update migrator.slot set in_doubt = $3, in_doubt_offset = $4::bigint where server = $1 and slot = $2::integer",
              {run_.layout().server, number(slot_), reason, offset ? pg::Text(number(*offset)) : pg::Text()});
  transaction.commit();
  throw Error(sqlstate::not_in_prerequisite_state, "in doubt: " + reason)
      .hint("Compare the topic with the tables, then call migrator.resolve_in_doubt().");
}

}  // namespace migrator::publish
