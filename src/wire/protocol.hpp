#pragma once
// What a worker and its Kafka client process say to each other over a socket pair.
//
// A frame is: payload length (uint32, little endian), type (uint8), payload. Integers are little endian,
// a string is its length (uint32) and its bytes, a list its count (uint32) and its items.
//
//   worker                                 client process
//     Open      ------------------------>    init_transactions, read the marker partition, write its first marker
//               <------------------------  Opened | Failed
//     Publish, Messages...  ------------>    begin, produce all, marker last, commit
//               <------------------------  Committed | Failed
//     Check     ------------------------>    what kafka_check reports; no producer, no fencing
//               <------------------------  Report | Failed
//     Validate  ------------------------>    are these librdkafka properties valid?
//               <------------------------  Valid | Failed
//     Look      ------------------------>    partitions of topics and their ends; may be repeated
//               <------------------------  Seen | Failed
//     Assign    ------------------------>    compare positions with what is there, begin to fetch
//               <------------------------  Assigned | Failed
//     Poll      ------------------------>    what has been fetched since; fetching goes on meanwhile
//               <------------------------  Records | Failed
//
// After Failed the worker ends the process and starts a new one: uncertainty has one path only. The process
// leaves at end of file on its socket. The worker sets the deadlines; the process knows them, so that its own
// calls end a little earlier, but the worker does not rely on it: it kills a process that does not answer.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/no_postgres.hpp"

namespace migrator::wire {

inline constexpr std::uint32_t k_version = 3;
// A frame may hold one message of any size that a broker may accept; more is a broken peer.
inline constexpr std::uint32_t k_max_payload = 256u << 20;
inline constexpr std::size_t k_header_size = 5;

enum class Type : std::uint8_t {
  open = 1, publish = 2, messages = 3, check = 4, validate = 5, look = 6, assign = 7, poll = 8,
  opened = 65, committed = 66, failed = 67, report = 68, valid = 69, seen = 70, assigned = 71, records = 72,
};

using Properties = std::vector<std::pair<std::string, std::string>>;  // librdkafka's names and values

struct Open {
  std::uint32_t version = k_version;
  Properties properties;           // what the operator set; the process adds what the guarantee rests on
  std::string transactional_id;
  std::string marker_topic;        // created if it is missing
  std::uint32_t marker_partition = 0;
  std::uint32_t marker_partitions = 1;  // partitions of the marker topic, should it have to be created
  std::int64_t marker_offset = 0;  // where reading begins
  std::string first_marker;        // committed in a transaction of its own if the partition holds no marker of this id; empty: never
  std::string wanted;              // a text that the value of the wanted marker contains; empty: none is wanted
  std::vector<std::string> topics;      // topics that will be published to
  std::uint32_t deadline_ms = 30000;
};

struct Marker {
  std::int64_t offset = 0;
  std::string value;               // as the worker wrote it
};

struct TopicInfo {
  std::uint32_t partitions = 0;
  std::uint64_t max_message_bytes = 0;  // what key and value may sum to; a larger message is Fault::record
};

struct Opened {
  std::string cluster_id;
  std::int64_t marker_high = 0;    // end of the partition after init_transactions
  std::optional<Marker> last;      // newest committed marker of this transactional id at or after Open::marker_offset, or the first
  std::optional<Marker> wanted;    // the newest of those that contain Open::wanted
  std::vector<std::uint32_t> used; // partitions of the marker topic that hold anything
  std::vector<TopicInfo> topics;   // in the order of Open::topics
};

struct Publish {
  std::string marker;              // value of the marker record; its key is the transactional id
  std::uint32_t count = 0;         // messages that follow in Messages frames
  std::uint32_t deadline_ms = 60000;
};

// One message inside a Messages frame: uint16 topic index, string key, string value.
struct Message {
  std::uint16_t topic = 0;
  std::string_view key;
  std::string_view value;
};

struct Committed {
  std::int64_t marker_offset = 0;
  bool tainted = false;            // true: use this producer for no further transaction
};

enum class Fault : std::uint8_t {
  unavailable = 1,   // broker away, timeout: wait and try again
  refused = 2,       // no right, topic missing, bad setting: an operator must act; wait and try again
  fenced = 3,        // somebody else owns this transactional id now
  record = 4,        // the broker refuses certain messages: see culprits
  protocol = 5,      // a frame that makes no sense: a defect
};

struct Failed {
  Fault fault = Fault::unavailable;
  std::string code;                // librdkafka's name, e.g. "_TRANSPORT"
  std::string text;                // for people; never holds payload or secrets
  std::vector<std::uint32_t> culprits;  // positions of refused messages within the Publish, ascending
};

struct Check {
  Properties properties;
  std::string transactional_id;    // tried with "-check" behind it, so that nobody is fenced
  std::string marker_topic;
  std::vector<std::string> topics;
  std::uint32_t deadline_ms = 10000;
};

struct Finding {
  std::string check;
  bool ok = false;
  std::string detail;
  std::string remedy;              // empty when ok
};

struct Report {
  std::vector<Finding> findings;
};

struct Validate {
  Properties properties;
};

// Consuming. Ends are those that read_committed readers see: what an open transaction holds back is not there yet.

struct Look {
  std::uint32_t version = k_version;
  Properties properties;
  std::vector<std::string> topics;
  std::uint32_t deadline_ms = 10000;
};

struct Range {
  std::string problem;             // why the partition cannot be read; empty: it can
  std::int64_t low = 0;            // first offset still there
  std::int64_t end = 0;            // behind the last committed record
};

struct TopicRanges {
  std::string problem;             // the same for the topic as a whole
  std::vector<Range> partitions;   // by number
};

struct Seen {
  std::string cluster_id;
  std::vector<TopicRanges> topics;  // in the order of Look::topics
};

struct Position {
  std::string topic;
  std::uint32_t partition = 0;
  std::int64_t next = 0;           // first offset that is wanted
  std::int64_t witness = -1;       // an offset below, of a record that is known: sent first if it is still there
};

struct Assign {
  std::uint32_t version = k_version;
  Properties properties;
  std::vector<Position> positions;
  std::uint32_t deadline_ms = 30000;
};

struct Assigned {
  std::string cluster_id;
  std::vector<Range> ranges;       // in the order of Assign::positions
};

// Only such a position is fetched from.
inline bool readable(std::int64_t offset, const Range &range) {
  return range.problem.empty() && range.low <= offset && offset <= range.end;
}

struct Poll {
  std::uint32_t bytes = 4u << 20;      // of keys and values, above which a Records frame takes no further record
  std::uint32_t records = 5000;
  std::uint32_t wait_ms = 200;         // for the first record
};

// One record inside a Records frame: uint8 flags, uint32 position index, int64 offset, int64 timestamp, and key and value
// where the flags tell of them. At the end of a partition there is an entry without a record: reading goes on at its offset.
struct Record {
  std::uint32_t position = 0;      // index in Assign::positions
  std::int64_t offset = 0;
  std::int64_t timestamp = -1;     // ms since 1970; -1: none
  bool end = false;                // no record
  std::optional<std::string_view> key = {}, value = {};  // none: null
};

}  // namespace migrator::wire
