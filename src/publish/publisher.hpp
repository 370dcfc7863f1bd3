#pragma once
// A publisher: takes tasks, claims chunks, has them published, sets the final statuses. See publish/README.md for
// the protocol and its states.

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "migration/run.hpp"
#include "migration/settings.hpp"
#include "pg/transaction.hpp"
#include "publish/source.hpp"
#include "server/client.hpp"

namespace migrator::publish {

class Publisher {
public:
  Publisher(std::int64_t migration, int number);
  // Works until the migration is over, cancelled, or has no runner any more.
  void work();

private:
  using Clock = std::chrono::steady_clock;

  // Thrown when another publisher is settling a slot for long: what it waits for itself, it tells itself.
  struct OthersSettle {};

  // What is known of a chunk that Kafka has committed.
  struct Published {
    std::int64_t marker_offset = -1;
    std::vector<pg::RowVersion> rows = {};             // as Source::finish takes them
    std::optional<std::chrono::microseconds> time = {};  // that Kafka took
  };

  bool step(migration::Stage stage);
  bool settle_a_slot();
  void open(int slot);
  void close();
  void recover(const wire::Opened &opened);
  void note_marker(std::int64_t offset, const std::string &chunk) const;
  void remember(const std::vector<std::uint32_t> &used) const;
  void publish(Chunk &chunk, Source &source);
  void finish(pg::Transaction &transaction, const migration::Layout &layout, const Chunk &chunk, Source &source,
              Published published);
  void settle_chunk(const Chunk &chunk, std::optional<std::int64_t> marker_offset);
  void renew_id(Chunk &chunk) const;
  void refuse(Chunk &chunk, Source &source, const wire::Failed &failed);
  std::optional<Chunk> claimed_chunk();
  std::optional<Chunk> claimed_chunk_here() const;
  bool claim(migration::Stage stage);
  Context context(const migration::InTable &table, std::uint64_t limit) const;
  std::uint64_t limit(const migration::InTable &table) const;
  std::uint16_t topic_index(const std::string &topic) const;
  [[noreturn]] void stop_in_doubt(const std::string &reason, std::optional<std::int64_t> offset);
  void watch();
  // ms for one answer of Kafka
  static std::uint32_t kafka_deadline() { return static_cast<std::uint32_t>(migration::kafka_timeout) * 1000; }
  void wait_for(const std::string &reason, bool weak);

  migration::Run run_;
  int number_;
  std::string worker_;         // "Parallel 1"
  std::string record_prefix_, boundary_;
  std::vector<std::string> topics_;
  bool waiting_ = true;        // a reason of ours, or of a worker before us, may stand in migration.waiting
  int failures_ = 0;           // in a row
  Clock::time_point asked_;    // when Kafka was last asked for something,
  Clock::time_point told_;     // and when its silence since then was last told
  int others_rounds_ = 0;      // of waiting for another publisher to settle a slot

  // The slot we hold, and its open client process.
  int slot_ = -1;
  std::unique_ptr<server::Client> client_;
  std::vector<wire::TopicInfo> topic_info_;
  std::optional<migration::Task> task_;
  migration::Stage task_stage_ = migration::Stage::begin;
  Batch batch_;
};

}  // namespace migrator::publish
