#include "consume/batch.hpp"

#include <array>

#include "base/error.hpp"
#include "consume/dead_letter.hpp"
#include "consume/verdicts.hpp"
#include "pg/transaction.hpp"

namespace migrator::consume {
namespace {

using Clock = std::chrono::steady_clock;

std::string number(std::int64_t value) { return std::to_string(value); }

// Moves the partitions on from where we believe that they stand, and locks them. False: somebody else has moved them, or
// they are given to another consumer.
bool claim(const BatchContext &context, const Batch &batch) {
  std::vector<std::string> topics, numbers, olds, news, offsets, timestamps, digests;
  for (std::size_t i = 0; i < batch.after.size(); ++i) {
    const Partition &after = batch.after[i];
    if (after.next == context.before[i].next) continue;
    topics.push_back(after.topic);
    numbers.push_back(number(after.number));
    olds.push_back(number(context.before[i].next));
    news.push_back(number(after.next));
    offsets.push_back(number(after.witness.offset));
    timestamps.push_back(number(after.witness.timestamp));
    digests.push_back(number(after.witness.digest));
  }
  std::uint64_t const moved =
      pg::execute("update migrator.in_partition p set next_offset = u.new, end_offset = greatest(p.end_offset, u.new), reason = null, "
                  "cluster_id = coalesce(p.cluster_id, $3), last_offset = nullif(u.last_offset, -1), last_timestamp = u.last_timestamp, "
                  "last_digest = u.last_digest, updated_at = clock_timestamp() "
                  "from unnest($4::text[], $5::integer[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[]) "
                  "u (topic, partition, old, new, last_offset, last_timestamp, last_digest) "
                  "where p.company = $1 and p.topic = u.topic and p.partition = u.partition and p.next_offset = u.old "
                  "and p.worker = $2::integer and p.state = 'RUNNING'",
                  {context.consumption.company(), number(context.number), context.cluster, pg::array_literal(topics), pg::array_literal(numbers),
                   pg::array_literal(olds), pg::array_literal(news), pg::array_literal(offsets), pg::array_literal(timestamps),
                   pg::array_literal(digests)})
          .processed;
  return moved == topics.size();
}

void track(const BatchContext &context, const Batch &batch, const std::vector<store::Verdict> &verdicts, Clock::time_point applied) {
  std::array<std::int64_t, 6> outcomes{};
  std::int64_t failed = 0;
  for (const store::Verdict &verdict : verdicts) verdict.failure ? ++failed : ++outcomes.at(static_cast<std::size_t>(verdict.outcome));
  auto count = [&outcomes](store::Outcome outcome) { return number(outcomes.at(static_cast<std::size_t>(outcome))); };
  auto seconds = [](Clock::duration duration) { return std::to_string(std::chrono::duration<double>(duration).count()); };
  using store::Outcome;
  std::string const worker = "Consumer " + number(context.number), size = number(static_cast<std::int64_t>(batch.records.size()));
  pg::execute("insert into in_migration.from_kafka_to_mongo_tracking (company, worker, started_at, received_counter, inserted_counter, updated_counter, "
              "unchanged_counter, merged_counter, skipped_counter, duplicate_counter, failed_counter) values ($1, $2, "
              "clock_timestamp() - make_interval(secs => $3::double precision), $4::integer, $5::integer, $6::integer, $7::integer, $8::integer, "
              "$9::integer, $10::integer, $11::integer)",
              {context.consumption.company(), worker, seconds(Clock::now() - batch.received), size, count(Outcome::inserted), count(Outcome::updated),
               count(Outcome::unchanged), count(Outcome::merged), count(Outcome::skipped), count(Outcome::duplicate), number(failed)});
  if (!context.track_timings) return;
  Clock::time_point const now = Clock::now();
  pg::execute("insert into in_migration.timings (company, worker, step, records, duration) "
              "select $1, $2, u.step, $3::integer, make_interval(secs => u.seconds) from unnest(array['receive', 'apply', 'record'], "
              "array[$4, $5, $6]::double precision[]) u (step, seconds)",
              {context.consumption.company(), worker, size, seconds(batch.waited), seconds(applied - batch.received), seconds(now - applied)});
}

}  // namespace

Witness witness_of(const wire::Record &record) noexcept {
  // FNV-1a
  std::uint64_t hash = 14695981039346656037u;
  auto add = [&hash](std::string_view bytes) {
    for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  };
  add(record.key.value_or(""));
  add(record.value ? "=" : "~");
  add(record.value.value_or(""));
  return {record.offset, record.timestamp, static_cast<std::int64_t>(hash)};
}

Batch::Batch(std::string frame, std::vector<Partition> before, Clock::duration wait)
    : payload(std::move(frame)), after(std::move(before)), waited(wait) {
  wire::RecordsReader reader{std::string_view(payload)};
  while (std::optional<wire::Record> const record = reader.next()) {
    Partition &partition = after.at(record->position);
    if (record->end) {
      partition.next = std::max(partition.next, record->offset);
    } else if (record->offset >= partition.next) {
      partition.next = record->offset + 1;
      records.push_back(*record);
    } else if (record->offset == partition.witness.offset && witness_of(*record) != partition.witness) {
      throw Unlike{record->position, "the topic was created anew: the record at offset " + number(record->offset) + " is not the one that was applied"};
    }
  }
  // Only the last record of each partition stays as its witness.
  std::vector<bool> done(after.size());
  for (auto record = records.rbegin(); record != records.rend(); ++record)
    if (!done.at(record->position)) {
      after[record->position].witness = witness_of(*record);
      done[record->position] = true;
    }
}

bool apply(const BatchContext &context, const Batch &batch, store::Applier &applier) {
  pg::Transaction transaction;
  if (!claim(context, batch)) return false;
  if (!batch.records.empty()) {
    // A record without a value is no message; as an empty one it gets its reason from the store.
    std::vector<std::string_view> messages;
    for (const wire::Record &record : batch.records) messages.push_back(record.value.value_or(""));
    std::vector<store::Verdict> const found = verdicts(applier, messages);
    Clock::time_point const applied = Clock::now();
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i].failure) {
        const wire::Record &record = batch.records[i];
        bury(context.consumption.company(), batch.after.at(record.position), record, *found[i].failure);
      }
    track(context, batch, found, applied);
  }
  transaction.commit();
  return true;
}

}  // namespace migrator::consume
