#include "consume/consumer.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "consume/settings.hpp"
#include "migration/settings.hpp"
#include "pg/error.hpp"
#include "pg/transaction.hpp"
#include "pg/worker.hpp"

namespace migrator::consume {
namespace {

constexpr long k_idle = 100;                            // ms between two looks for work
constexpr auto k_look = std::chrono::milliseconds(200); // between two looks at stop, pause and who reads what
constexpr auto k_again = std::chrono::seconds(5);       // between two tries with a partition that cannot be read
constexpr std::uint32_t k_poll_wait = 200;              // ms in which the client process waits for a first record
constexpr std::uint32_t k_answer = 10000;               // ms after which a client process that does not answer is given up
constexpr int k_repeats = 10;                           // of a batch that meets another consumer

std::string number(std::int64_t value) { return std::to_string(value); }

// Passes by itself when the batch is repeated.
bool conflict(const std::string &sqlstate) { return sqlstate == "40001" || sqlstate == "40P01"; }

// Thrown to leave a wait when the consumption was stopped.
struct Stopped {};

}  // namespace

Consumer::Consumer(std::int64_t consumption, int number) : consumption_(consumption), number_(number), applier_(consumption_.company()) {}

void Consumer::work() {
  {
    pg::Transaction transaction;
    bool const alone = pg::try_lock(consumption_.lock_name(number_));
    transaction.commit();
    if (!alone) return;  // left over from a supervisor before; it goes on
  }
  for (;;) {
    control_ = consumption_.control();
    if (!control_.running || control_.orphaned || number_ > control_.consumers) break;
    std::string reason;
    try {
      bool const busy = step();
      if (waiting_) set_reason("");
      waiting_ = false;
      failures_ = 0;
      if (!busy) pg::wait(k_idle);
      continue;
    } catch (const Stopped &) {
      break;
    } catch (const pg::Error &error) {
      if (error.sqlstate() == "57014") throw;
      reason = error.sqlstate() == "55P03" ? "a lock held by another session" : error.public_message();
      if (error.sqlstate() != "55P03") consumption_.record_error("consume", error.sqlstate(), reason);
    } catch (const Error &error) {
      reason = error.message() + (error.detail_text().empty() ? "" : "; " + error.detail_text());
      if (error.sqlstate() == sqlstate::internal) consumption_.record_error("consume", error.sqlstate(), error.message());
    }
    wait_for(reason);
  }
  close();
}

// Back-off with the reason in sight. What was read is dropped: the next attempt begins where the tables say.
void Consumer::wait_for(const std::string &reason) {
  close();
  // A connection that is lost once is no news.
  if (++failures_ > 1) {
    set_reason(reason);
    waiting_ = true;
  }
  long const most = std::min(100L << std::min(failures_, 7), 10000L);
  for (long waited = 0; waited < most; waited += k_look.count()) {
    pg::wait(k_look.count());
    if (!consumption_.control().running) return;
  }
}

void Consumer::watch() {
  if (!consumption_.control().running) throw Stopped();
}

// Reads and applies until it is time to look at what is wanted. False: there is nothing to do at the moment.
bool Consumer::step() {
  if (control_.paused) {
    close();
    return false;
  }
  bool const again = again_at_ && Clock::now() > *again_at_;
  if (given_others() || again) {
    close();
    open();
  }
  if (client_ == nullptr) return false;
  for (Clock::time_point const end = Clock::now() + k_look; client_ != nullptr && Clock::now() < end;)
    if (!consume()) break;
  return true;
}

bool Consumer::given_others() {
  pg::Transaction transaction;
  pg::Result const rows = pg::execute("select topic || '/' || partition from migrator.in_partition where company = $1 and worker = $2::integer "
                                      "and state = 'RUNNING' and next_offset is not null order by topic, partition",
                                      {consumption_.company(), number(number_)});
  transaction.commit();
  std::vector<std::string> given;
  for (const std::vector<pg::Text> &row : rows.rows) given.push_back(row[0].value());
  bool const others = given != given_ || (client_ == nullptr && !given.empty());
  given_ = std::move(given);
  return others;
}

// Leaves client_ null if there is nothing to read, or a consumer before us still reads it.
void Consumer::open() {
  wire::Assign request;
  {
    pg::Transaction transaction;
    pg::Result const rows = pg::execute(
        "select topic, partition, next_offset, cluster_id, coalesce(last_offset, -1), last_timestamp, last_digest from migrator.in_partition "
        "where company = $1 and worker = $2::integer and state = 'RUNNING' and next_offset is not null order by topic, partition",
        {consumption_.company(), number(number_)});
    bool all = true;
    for (std::size_t i = 0; i < rows.rows.size() && all; ++i) {
      const std::vector<pg::Text> &row = rows.rows[i];
      Partition partition{row[0].value(), std::stoi(row[1].value()), row[3].value_or(""), std::stoll(row[2].value()),
                          {std::stoll(row[4].value()), std::stoll(row[5].value_or("0")), std::stoll(row[6].value_or("0"))}, false};
      request.positions.push_back({partition.topic, static_cast<std::uint32_t>(partition.number), partition.next, partition.witness.offset});
      std::string const lock = "partition " + number(consumption_.id()) + "/" + partition.topic + "/" + number(partition.number);
      partitions_.push_back(std::move(partition));
      all = pg::try_lock(lock);
      if (all) locks_.push_back(lock);
    }
    if (all && !partitions_.empty()) request.properties = server::properties(control_.server);
    transaction.commit();
    if (!all || partitions_.empty()) {
      close();
      return;
    }
  }
  request.deadline_ms = static_cast<std::uint32_t>(migration::kafka_timeout) * 1000;
  auto client = std::make_unique<server::Client>();
  client->set_watch([this] { watch(); });
  auto const assigned = wire::decode<wire::Assigned>(client->ask(wire::encode(request), wire::Type::assigned, request.deadline_ms));
  client_ = std::move(client);
  compare(assigned);
}

// Is each partition what it was when we last read it?
void Consumer::compare(const wire::Assigned &assigned) {
  cluster_ = assigned.cluster_id;
  std::vector<std::pair<std::size_t, std::string>> stopped;
  pg::Transaction transaction;
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    Partition &partition = partitions_[i];
    const wire::Range &range = assigned.ranges.at(i);
    partition.readable = wire::readable(partition.next, range);
    std::string reason;
    if (!range.problem.empty()) {
      reason = range.problem;
      again_at_ = Clock::now() + k_again;
    } else if (!partition.cluster.empty() && !cluster_.empty() && partition.cluster != cluster_) {
      reason = "another Kafka cluster (" + cluster_ + " instead of " + partition.cluster + ") answers for the foreign server";
      stop(partition, reason);
    } else if (range.end < partition.next) {
      reason = "the topic was created anew or truncated: it ends at " + number(range.end) + ", and everything below " + number(partition.next) + " was applied";
      stop(partition, reason);
    } else if (range.low > partition.next) {
      reason = "retention was faster: the records from " + number(partition.next) + " to " + number(range.low - 1) + " are gone, and were not applied";
      stop(partition, reason);
    }
    if (failures_ == 0 || !reason.empty())
      pg::execute("update migrator.in_partition set reason = nullif($4, '') where company = $1 and topic = $2 and partition = $3::integer "
                  "and reason is distinct from nullif($4, '')",
                  {consumption_.company(), partition.topic, number(partition.number), reason});
  }
  transaction.commit();
}

// In the current transaction. What has stopped keeps its reason: records that were on their way may show another one.
void Consumer::stop(const Partition &partition, const std::string &reason) const {
  bool const news = pg::execute("update migrator.in_partition set state = 'STOPPED', reason = $4 where company = $1 and topic = $2 "
                                "and partition = $3::integer and next_offset = $5::bigint and state = 'RUNNING'",
                                {consumption_.company(), partition.topic, number(partition.number), reason, number(partition.next)})
                        .processed > 0;
  if (news)
    pg::execute("insert into in_migration.log (company, message) values ($1, $2)",
                {consumption_.company(), "partition " + number(partition.number) + " of topic \"" + partition.topic + "\" has stopped: " + reason});
}

void Consumer::close() {
  client_.reset();
  asked_ = false;
  again_at_.reset();
  partitions_.clear();
  if (locks_.empty()) return;
  pg::Transaction transaction;
  for (const std::string &lock : locks_) pg::unlock(lock);
  transaction.commit();
  locks_.clear();
}

// Reasons of all our partitions that have not stopped; "" clears them.
void Consumer::set_reason(const std::string &reason) const {
  pg::Transaction transaction;
  bool const news = pg::execute("update migrator.in_partition set reason = nullif($3, '') where company = $1 and worker = $2::integer "
                                "and state = 'RUNNING' and reason is distinct from nullif($3, '')",
                                {consumption_.company(), number(number_), reason})
                        .processed > 0;
  transaction.commit();
  if (news && !reason.empty()) consumption_.log("consumer " + number(number_) + " waits: " + reason);
}

void Consumer::ask() {
  client_->send(wire::encode(wire::Poll{static_cast<std::uint32_t>(batch_bytes) * 1024, static_cast<std::uint32_t>(batch_records), k_poll_wait}), k_answer);
  asked_ = true;
}

// One batch. False: there was none.
bool Consumer::consume() {
  if (!asked_) ask();
  Clock::time_point const begun = Clock::now();
  wire::Frame frame = client_->receive(k_answer);
  asked_ = false;
  if (frame.type != wire::Type::records) {
    wire::Failed const failed = wire::decode<wire::Failed>(frame.payload);
    throw Error(sqlstate::connection_failure, "Kafka: " + failed.text + " (" + failed.code + ")");
  }
  try {
    Batch const batch(std::move(frame.payload), partitions_, Clock::now() - begun);
    // While this one is applied, the next one is put together.
    ask();
    bool const moved = !std::equal(batch.after.begin(), batch.after.end(), partitions_.begin(),
                                   [](const Partition &a, const Partition &b) { return a.next == b.next; });
    if (moved) apply_until_done(batch);
    return moved;
  } catch (const Unlike &unlike) {
    pg::Transaction transaction;
    stop(partitions_.at(unlike.partition), unlike.reason);
    transaction.commit();
    close();
    return false;
  }
}

void Consumer::apply_until_done(const Batch &batch) {
  BatchContext const context{consumption_, number_, partitions_, cluster_, control_.track_timings};
  for (int repeats = 0;; ++repeats) {
    try {
      if (apply(context, batch, applier_)) {
        partitions_ = batch.after;
        failures_ = 0;
      } else {
        close();  // somebody else has them: begin anew with what the tables say
      }
      return;
    } catch (const pg::Error &error) {
      if (!conflict(error.sqlstate()) || repeats >= k_repeats) throw;
    } catch (const Error &error) {
      if (!conflict(error.sqlstate()) || repeats >= k_repeats) throw;
    }
    // Consumers that met once should not meet again.
    pg::wait(5L * number_ + (10L << std::min(repeats, 5)));
  }
}

}  // namespace migrator::consume
