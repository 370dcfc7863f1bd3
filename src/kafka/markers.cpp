#include "kafka/markers.hpp"

#include <algorithm>
#include <string_view>

#include "base/fault.hpp"
#include "base/no_postgres.hpp"

namespace migrator::kafka {
namespace {

// Reading of one partition without a group: nothing to join, no right on a group needed. Stops with its scope.
class PartitionReading {
public:
  PartitionReading(Client &reader, const std::string &topic, std::int32_t partition, std::int64_t from, const std::string &doing)
      : topic_(rd_kafka_topic_new(reader.get(), topic.c_str(), nullptr)), partition_(partition) {
    if (!topic_ || rd_kafka_consume_start(topic_.get(), partition, from) != 0) throw failure(rd_kafka_last_error(), doing);
  }
  ~PartitionReading() { (void)rd_kafka_consume_stop(topic_.get(), partition_); }
  PartitionReading(const PartitionReading &) = delete;
  PartitionReading &operator=(const PartitionReading &) = delete;

  Message next(int timeout_ms) { return Message(rd_kafka_consume(topic_.get(), partition_, timeout_ms)); }

private:
  Topic topic_;
  std::int32_t partition_;
};

}  // namespace

Watermarks watermarks(Client &client, const std::string &topic, std::uint32_t partition, const Deadline &deadline) {
  std::string const doing = "reading the watermarks of topic \"" + topic + "\"";
  for (;;) {
    Watermarks result;
    rd_kafka_resp_err_t const code = rd_kafka_query_watermark_offsets(client.get(), topic.c_str(), static_cast<std::int32_t>(partition),
                                                                      &result.low, &result.high, std::max(deadline.left_ms(2000), 1));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return result;
    client.check_complaint(doing);
    if (permanent(code) || deadline.passed()) throw client.explain(code, doing);
    client.poll(50);
  }
}

std::vector<std::uint32_t> used_partitions(Client &client, const std::string &topic, std::uint32_t partitions, const Deadline &deadline) {
  std::string const doing = "reading the ends of topic \"" + topic + "\"";
  // One question for all of them: the offset behind the newest record, whatever its time.
  PartitionList const ends(rd_kafka_topic_partition_list_new(static_cast<int>(partitions)));
  for (std::uint32_t i = 0; i < partitions; ++i)
    rd_kafka_topic_partition_list_add(ends.get(), topic.c_str(), static_cast<std::int32_t>(i))->offset = RD_KAFKA_OFFSET_END;
  for (;;) {
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client.get(), ends.get(), std::max(deadline.left_ms(2000), 1));
    std::vector<std::uint32_t> used;
    for (int i = 0; i < ends->cnt; ++i) {
      rd_kafka_topic_partition_t &end = ends->elems[i];
      if (end.err != RD_KAFKA_RESP_ERR_NO_ERROR && code == RD_KAFKA_RESP_ERR_NO_ERROR) code = end.err;
      if (end.offset > 0) used.push_back(static_cast<std::uint32_t>(end.partition));
      end.offset = RD_KAFKA_OFFSET_END;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return used;
    client.check_complaint(doing);
    if (permanent(code) || deadline.passed()) throw client.explain(code, doing);
    client.poll(50);
  }
}

Markers find_markers(Client &reader, const std::string &topic, std::uint32_t partition, std::int64_t from, const Watermarks &marks,
                     const std::string &key, const std::string &wanted, const Deadline &deadline) {
  Markers found;
  std::int64_t position = std::max(from, marks.low);
  if (position >= marks.high) return found;
  std::string const doing = "reading markers from topic \"" + topic + "\"";
  PartitionReading reading(reader, topic, static_cast<std::int32_t>(partition), position, doing);
  while (position < marks.high) {
    MIGRATOR_FAILPOINT("recovery_scan");
    if (deadline.passed()) throw reader.explain(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
    Message const message = reading.next(std::max(deadline.left_ms(100), 1));
    reader.check_complaint(doing);
    if (!message) continue;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      position = message->offset + 1;
      if (std::string_view(static_cast<const char *>(message->key), message->key_len) != key) continue;
      found.newest = {message->offset, std::string(static_cast<const char *>(message->payload), message->len)};
      if (!wanted.empty() && found.newest->value.find(wanted) != std::string::npos) found.wanted = found.newest;
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // The position behind control records and aborted data, which are skipped in silence. Short of the end: another
      // transaction is still open there, or ends just now.
      position = std::max(position, message->offset);
    } else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || permanent(message->err)) {
      throw failure(message->err, doing);
    }
  }
  return found;
}

}  // namespace migrator::kafka
