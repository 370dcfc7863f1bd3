#include "publish/publisher.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/fault.hpp"
#include "migration/settings.hpp"
#include "pg/encoding.hpp"
#include "pg/error.hpp"
#include "pg/transaction.hpp"
#include "pg/worker.hpp"

namespace migrator::publish {
namespace {

using migration::Stage;

constexpr std::uint32_t k_grace = 5000;              // ms that the process may be late before it is killed
constexpr long k_idle = 100;                         // ms between two looks for work
constexpr long k_begin_idle = 20;                    // the same while the run is being planned
constexpr long k_control_interval = 200;             // ms between two looks at pause and cancel
constexpr auto k_patience = std::chrono::seconds(2); // with Kafka, before its silence becomes the reason of a wait
const char *const k_conflict = "a row is being changed by another session";

std::string number(std::int64_t value) { return std::to_string(value); }

using std::chrono::microseconds;
microseconds since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - start);
}
std::string interval(microseconds time) { return std::to_string(time.count()) + " us"; }

// Thrown to leave a wait when the run was cancelled.
struct Cancelled {};

}  // namespace

Publisher::Publisher(std::int64_t migration, int number)
    : run_(migration), number_(number), worker_("Parallel " + std::to_string(number)), topics_(run_.layout().topics()) {
  pg::Transaction transaction;
  pg::Result const row = pg::execute(
      "select company || '.' || id || '.' || extract(epoch from started_at)::bigint || '.' "
      "from migrator.migration where id = $1::bigint",
      {std::to_string(migration)});
  record_prefix_ = pg::to_utf8(row.text(0));
  if (MIGRATOR_MUTATION("random_record_id")) record_prefix_.append(std::to_string(Clock::now().time_since_epoch().count())).append(".");
  transaction.commit();
}

void Publisher::work() {
  std::string const lock = "publisher " + number(run_.id()) + "/" + number(number_);
  {
    pg::Transaction transaction;
    bool const alone = pg::try_lock(lock);
    transaction.commit();
    if (!alone) return;  // left over from a runner before; it goes on
  }
  for (;;) {
    migration::Control const control = run_.control();
    if (!control.running || control.orphaned) break;
    std::string reason;
    bool weak = false;
    try {
      bool const busy = !control.paused && step(control.stage);
      if (waiting_) run_.set_waiting("");
      waiting_ = false;
      failures_ = 0;
      if (!busy) pg::wait(control.stage == Stage::begin ? k_begin_idle : k_idle);
      continue;
    } catch (const Cancelled &) {
      break;
    } catch (const OthersSettle &) {
      reason = "another publisher is still settling a slot of server \"" + run_.layout().server + "\"";
      weak = true;
    } catch (const pg::Error &error) {
      // Conflicts with the supplier's own transactions pass by themselves; others are news for the operator.
      std::string const code = error.sqlstate();
      if (code == "57014") throw;
      bool const conflict = code == "40001" || code == "40P01";
      reason = conflict ? k_conflict : code == "55P03" ? "a lock held by another session" : error.public_message();
      if (!conflict && code != "55P03") run_.record_error("publish", code, reason);
    } catch (const Error &error) {
      reason = error.message() + (error.detail_text().empty() ? "" : "; " + error.detail_text());
      if (error.sqlstate() == sqlstate::internal) run_.record_error("publish", error.sqlstate(), error.message());
    }
    wait_for(reason, weak);
  }
  close();
}

// Back-off with the reason in sight. Everything of this attempt is dropped: the next one begins with recovery.
void Publisher::wait_for(const std::string &reason, bool weak) {
  close();
  task_.reset();
  failures_++;
  if (failures_ > 1 || reason != k_conflict) {
    run_.set_waiting(reason, weak);
    waiting_ = true;
  }
  long const most = std::min(250L << std::min(failures_, 6), 10000L);
  for (long waited = 0; waited < most; waited += k_control_interval) {
    pg::wait(k_control_interval);
    if (!run_.control().running) return;
  }
}

// While Kafka is waited for: ends the wait when the run is cancelled, and tells of it when it lasts. It tells again where no reason
// stands: another publisher, for which things move, took it away.
void Publisher::watch() {
  if (!run_.control().running) throw Cancelled();
  if (Clock::now() - std::max(asked_, told_) < k_patience) return;
  bool const again = told_ > asked_;
  run_.set_waiting("Kafka: server \"" + run_.layout().server + "\" has not answered for some seconds", again);
  told_ = Clock::now();
  waiting_ = true;
}

// One piece of work. False: there is none at the moment.
bool Publisher::step(Stage stage) {
  // Before the run is planned, only a slot is opened and what a cancelled run left behind is settled.
  if (stage == Stage::begin) return settle_a_slot();
  if (!migration::published(stage)) return false;
  if (settle_a_slot()) return true;
  if (client_ == nullptr) return false;  // another publisher still settles what an earlier run left behind
  if (std::optional<Chunk> chunk = claimed_chunk()) {
    if (chunk->migration != run_.id()) {  // taken up between two looks; its own run goes on with it
      close();
      return true;
    }
    const migration::InTable *table = run_.layout().find(chunk->table);
    if (table == nullptr)
      throw Error("42P01", "table \"" + chunk->table + "\" of a chunk on its way is not in the structure any more");
    std::unique_ptr<Source> source;
    {
      pg::Transaction transaction;
      source = make_source(chunk->kind, context(*table, limit(*table)));
      batch_.clear();
      source->read_again(*chunk, batch_);
      bool const fewer = pg::execute("update migrator.chunk set rows = $2::bigint where id = $1::uuid and rows <> $2::bigint",
                                     {chunk->id, number(batch_.messages.count())}).processed > 0;
      if (fewer) renew_id(*chunk);
      transaction.commit();
    }
    pg::check_for_interrupts();  // as after a claim
    publish(*chunk, *source);
    return true;
  }
  return claim(stage);
}

std::uint64_t Publisher::limit(const migration::InTable &table) const {
  return topic_info_.at(topic_index(table.topic)).max_message_bytes;
}

std::uint16_t Publisher::topic_index(const std::string &topic) const {
  return static_cast<std::uint16_t>(std::find(topics_.begin(), topics_.end(), topic) - topics_.begin());
}

Context Publisher::context(const migration::InTable &table, std::uint64_t limit) const {
  return {run_.layout(), table, run_.id(), record_prefix_, boundary_, topic_index(table.topic), limit, migration::chunk_rows,
          static_cast<std::uint64_t>(migration::chunk_bytes) * 1024};
}

// Takes a task if we have none, claims its next piece, publishes it. False: no task is left for us.
bool Publisher::claim(Stage stage) {
  if (task_stage_ != stage) task_.reset();
  if (!task_) {
    pg::Transaction transaction;
    task_ = migration::take_task(run_.layout(), run_.id(), stage, worker_, "");
    if (!task_)
      for (const std::string &holder : migration::active_workers(run_.layout(), run_.id(), stage)) {
        std::string const digits = holder.substr(holder.find_last_of(' ') + 1);
        if (task_ || (holder != worker_ && pg::locked_elsewhere("publisher " + number(run_.id()) + "/" + digits))) continue;
        task_ = migration::take_task(run_.layout(), run_.id(), stage, worker_, holder);
      }
    transaction.commit();
    if (!task_) return false;
    task_stage_ = stage;
  }
  const migration::InTable *table = run_.layout().find(task_->table);
  if (table == nullptr) throw Error("42P01", "table \"" + task_->table + "\" of a task is not in the structure any more");

  batch_.clear();
  if (boundary_.empty()) boundary_ = run_.boundary();
  Chunk chunk;
  chunk.migration = run_.id();
  chunk.task = task_->id;
  chunk.table = table->name;
  std::unique_ptr<Source> source;
  Claim claimed;
  {
    pg::Transaction transaction;
    pg::Result const run = pg::execute(
        "select exists (select from migrator.chunk where migration_id = $1::bigint and task_id = $2::bigint and state = 'CLAIMED') "
        "from migrator.migration where id = $1::bigint and state = 'RUNNING' and not paused",
        {number(run_.id()), number(task_->id)});
    if (run.empty()) return false;  // paused or cancelled by now
    // The links of one owner may go on in the next chunk: what another publisher has taken up after a fault comes first.
    if (run.flag(0) && !MIGRATOR_MUTATION("chunks_overtake")) {
      MIGRATOR_FAILPOINT("predecessor_awaited");
      return false;
    }
    source = make_source(stage, context(*table, limit(*table)));
    chunk.kind = source->kind();
    Clock::time_point const start = Clock::now();
    claimed = source->claim(*task_, batch_);
    microseconds const encoding = since(start) - batch_.reading - claimed.writing;
    if (!claimed.to.empty()) {
      pg::Result const row = pg::execute(
          "insert into migrator.chunk (id, migration_id, task_id, kind, table_name, range_from, range_to, server, slot, claim_xid, rows, "
          "rows_skipped, rows_failed, bytes, reading, encoding, writing, state, finished_at) values (gen_random_uuid(), $1::bigint, $2::bigint, $3, $4, "
          "$5::text[], $6::text[], $7, $8::integer, pg_current_xact_id()::xid, $9::bigint, $10::bigint, $11::bigint, $12::bigint, $13::interval, $14::interval, $15::interval, $16, "
          "case when $16 = 'DONE' then clock_timestamp() end) returning id, claim_xid",
          {number(run_.id()), number(task_->id), chunk.kind, chunk.table, key_literal(claimed.from), key_literal(claimed.to),
           run_.layout().server, number(slot_), number(claimed.rows), number(claimed.skipped), number(claimed.refused),
           number(static_cast<std::int64_t>(batch_.messages.size())), interval(batch_.reading), interval(encoding), interval(claimed.writing), claimed.rows > 0 ? "CLAIMED" : "DONE"});
      chunk.id = row.text(0);
      chunk.claim_xid = row.text(1);
      chunk.from = claimed.from;
      chunk.to = claimed.to;
      task_->position = key_literal(claimed.to);
      migration::move_task(run_.layout(), task_->id, task_->position);
      migration::count_rows(run_.layout(), task_->id, 0, claimed.refused, claimed.skipped);
      if (chunk.kind == "CHECK") migration::add_to_total(run_.layout(), task_->id, claimed.rows);
    }
    if (claimed.exhausted && claimed.rows == 0) migration::end_task(run_.layout(), task_->id, "DONE");
    transaction.commit();
  }
  // With synchronous replication a termination during the commit is only a warning; it must stop us here,
  // before the first byte leaves.
  pg::check_for_interrupts();
  if (claimed.rows > 0) {
    MIGRATOR_FAILPOINT("after_claim");
    publish(chunk, *source);
    // The task is looked at once more, unless it is known to be at its end.
    if (claimed.exhausted && task_) {
      pg::Transaction transaction;
      migration::end_task(run_.layout(), task_->id, "DONE");
      transaction.commit();
      task_.reset();
    }
  } else if (claimed.exhausted) {
    task_.reset();
  }
  return true;
}

// The chunk is claimed, its messages are in the batch. On return it is DONE; every other outcome is thrown, and
// then what Kafka decided is asked by recovery.
void Publisher::publish(Chunk &chunk, Source &source) {
  if (batch_.keys.size() == 0) {  // everything was changed or deleted since the claim
    pg::Transaction transaction;
    finish(transaction, run_.layout(), chunk, source, {});
    return;
  }
  std::string marker;
  {
    pg::Transaction transaction;
    marker = pg::to_utf8(pg::execute("select jsonb_build_object('v', 1, 'chunk', id, 'migration', migration_id, 'kind', kind, 'table', table_name, "
                         "'from', range_from, 'to', range_to, 'rows', $2::bigint, 'claimed_at', claimed_at)::text "
                         "from migrator.chunk where id = $1::uuid", {chunk.id, number(batch_.messages.count())}).text());
    transaction.commit();
  }
  if (MIGRATOR_MUTATION("finish_before_kafka")) {
    pg::Transaction transaction;
    finish(transaction, run_.layout(), chunk, source, {});
  }
  asked_ = Clock::now();
  std::uint32_t const deadline = kafka_deadline();
  client_->send(wire::encode(wire::Publish{marker, batch_.messages.count(), deadline}), k_grace);
  client_->send(batch_.messages.finish(), deadline);
  wire::Frame const answer = client_->receive(deadline + k_grace);
  if (answer.type == wire::Type::committed) {
    MIGRATOR_FAILPOINT("after_kafka_commit");
    microseconds const publishing = since(asked_);
    wire::Committed const committed = wire::decode<wire::Committed>(answer.payload);
    {
      pg::Transaction transaction;
      finish(transaction, run_.layout(), chunk, source, {committed.marker_offset, batch_.rows, publishing});
    }
    MIGRATOR_FAILPOINT("after_finish");
    if (committed.tainted) {
      pg::Transaction transaction;
      pg::execute("update migrator.slot set tainted = tainted + 1 where server = $1 and slot = $2::integer", {run_.layout().server, number(slot_)});
      transaction.commit();
      client_.reset();
    }
    return;
  }
  client_.reset();
  wire::Failed const failed = wire::decode<wire::Failed>(answer.payload);
  if (failed.fault == wire::Fault::record && !failed.culprits.empty()) {
    refuse(chunk, source, failed);
    if (MIGRATOR_MUTATION("refusal_ends_chunk")) {
      pg::Transaction transaction;
      finish(transaction, run_.layout(), chunk, source, {});
    }
    return;  // what is left of the chunk is published after recovery
  }
  throw Error(sqlstate::connection_failure, "Kafka: " + failed.text + " (" + failed.code + ")");
}

// The second half of the protocol: what Kafka has committed becomes DONE. Commits the transaction.
void Publisher::finish(pg::Transaction &transaction, const migration::Layout &layout, const Chunk &chunk, Source &source,
                       Published published) {
  Clock::time_point const start = Clock::now();
  std::int64_t const done = source.finish(chunk, std::move(published.rows));
  pg::execute("update migrator.chunk set state = 'DONE', rows = $2::bigint, finish_xid = pg_current_xact_id()::xid, "
              "marker_offset = nullif($3::bigint, -1), publishing = $4::interval, writing = writing + $5::interval, finished_at = clock_timestamp() where id = $1::uuid and state = 'CLAIMED'",
              {chunk.id, number(done), number(published.marker_offset),
               published.time ? pg::Text(interval(*published.time)) : pg::Text(), interval(since(start))});
  if (published.marker_offset >= 0) note_marker(published.marker_offset, chunk.id);
  migration::count_rows(layout, chunk.task, done, 0, 0);
  MIGRATOR_FAILPOINT("inside_finish");
  transaction.commit();
}

// In the current transaction. A marker stands for the rows that its chunk had when it got its id: a backup made before would
// take it for the marker of all of them.
void Publisher::renew_id(Chunk &chunk) const {
  if (MIGRATOR_MUTATION("chunk_keeps_its_id")) return;
  chunk.id = pg::execute("update migrator.chunk set id = gen_random_uuid() where id = $1::uuid returning id", {chunk.id}).text();
}

// Rows that the broker refuses for what they are.
void Publisher::refuse(Chunk &chunk, Source &source, const wire::Failed &failed) {
  std::vector<Refusal> refusals;
  for (std::uint32_t culprit : failed.culprits) {
    if (culprit >= batch_.keys.size()) throw Error(sqlstate::internal, "the Kafka client process names a message that does not exist");
    refusals.push_back({batch_.keys[culprit], std::nullopt, "", "22000", "refused by the broker: " + failed.text + " (" + failed.code + ")"});
  }
  pg::Transaction transaction;
  source.refuse(chunk, refusals);
  auto const count = static_cast<std::int64_t>(refusals.size());
  pg::execute("update migrator.chunk set rows = rows - $2::bigint, rows_failed = rows_failed + $2::bigint where id = $1::uuid",
              {chunk.id, number(count)});
  renew_id(chunk);
  migration::count_rows(run_.layout(), chunk.task, 0, count, 0);
  transaction.commit();
}

}  // namespace migrator::publish
