// The frames between a worker and its client process: round trips, and everything a broken peer might send.

#include <gtest/gtest.h>

#include <string>

#include "base/error.hpp"
#include "wire/codec.hpp"
#include "wire/records.hpp"

namespace migrator::wire {
namespace {

using namespace std::string_literals;

Frame only_frame(const std::string &bytes) {
  FrameReader reader;
  reader.feed(bytes);
  auto frame = reader.take();
  EXPECT_TRUE(frame.has_value());
  EXPECT_FALSE(reader.take().has_value());
  EXPECT_TRUE(reader.at_boundary());
  return frame ? *frame : Frame{};
}

Open sample_open() {
  return {.version = 7, .properties = {{"bootstrap.servers", "a:1,b:2"}, {"linger.ms", ""}},
          .transactional_id = "migrator-1-2-3", .marker_topic = "__m", .marker_partition = 3, .marker_partitions = 48,
          .marker_offset = -5, .first_marker = "f", .wanted = "w", .topics = {"one", "two", "\0three"s}, .deadline_ms = 1234};
}
Opened sample_opened() {
  return {.cluster_id = "abc", .marker_high = 1ll << 40, .last = Marker{17, "value\0x"s},
          .wanted = Marker{16, "w"}, .used = {0, 63},
          .topics = {{12, 1048588}, {1, 1}}};
}
Failed sample_failed() {
  return {.fault = Fault::record, .code = "MSG_SIZE_TOO_LARGE", .text = "too large", .culprits = {0, 7, 4294967295u}};
}
Check sample_check() {
  return {.properties = {{"a", "b"}}, .transactional_id = "t", .marker_topic = "m", .topics = {"x"}, .deadline_ms = 5};
}
Report sample_report() { return {{{"reachable", true, "3 brokers", ""}, {"topic", false, "missing", "create it"}}}; }

// Every struct, as type, frame and a function that decodes its payload.
struct Sample {
  Type type;
  std::string frame;
  std::string (*again)(std::string_view payload);
};
template <typename Struct> std::string again(std::string_view payload) { return encode(decode<Struct>(payload)); }
std::vector<Sample> samples() {
  Opened without_marker = sample_opened();
  without_marker.last.reset();
  return {{Type::open, encode(sample_open()), again<Open>},
          {Type::open, encode(Open{}), again<Open>},
          {Type::opened, encode(sample_opened()), again<Opened>},
          {Type::opened, encode(without_marker), again<Opened>},
          {Type::publish, encode(Publish{"{}", 50000, 60000}), again<Publish>},
          {Type::committed, encode(Committed{99, true}), again<Committed>},
          {Type::failed, encode(sample_failed()), again<Failed>},
          {Type::check, encode(sample_check()), again<Check>},
          {Type::report, encode(sample_report()), again<Report>},
          {Type::validate, encode(Validate{{{"acks", "all"}}}), again<Validate>},
          {Type::look, encode(Look{.properties = {{"a", "b"}}, .topics = {"x", "y"}, .deadline_ms = 7}), again<Look>},
          {Type::seen, encode(Seen{"c", {{"", {{"", 3, 9}, {"no leader", 0, 0}}}, {"it does not exist", {}}}}), again<Seen>},
          {Type::assign, encode(Assign{.properties = {{"a", "b"}}, .positions = {{"x", 3, 1ll << 40, -1}, {"y", 0, 0, 5}}}), again<Assign>},
          {Type::assigned, encode(Assigned{"c", {{"", 3, 9}}}), again<Assigned>},
          {Type::poll, encode(Poll{1, 2, 3}), again<Poll>}};
}

TEST(Codec, RoundTripsEveryStruct) {
  for (const Sample &sample : samples()) {
    Frame const frame = only_frame(sample.frame);
    EXPECT_EQ(frame.type, sample.type);
    EXPECT_EQ(sample.again(frame.payload), sample.frame);
  }
  Frame const valid = only_frame(encode_valid());
  EXPECT_EQ(valid.type, Type::valid);
  EXPECT_TRUE(valid.payload.empty());
}

TEST(Codec, KeepsValues) {
  auto const open = decode<Open>(only_frame(encode(sample_open())).payload);
  EXPECT_EQ(open.version, 7u);
  EXPECT_EQ(open.properties, sample_open().properties);
  EXPECT_EQ(open.marker_offset, -5);
  EXPECT_EQ(open.first_marker, "f");
  EXPECT_EQ(open.topics, sample_open().topics);
  auto const opened = decode<Opened>(only_frame(encode(sample_opened())).payload);
  ASSERT_TRUE(opened.last.has_value());
  EXPECT_EQ(opened.last->offset, 17);
  EXPECT_EQ(opened.last->value, "value\0x"s);
  EXPECT_EQ(opened.marker_high, 1ll << 40);
  EXPECT_EQ(opened.topics.at(0).max_message_bytes, 1048588u);
  auto const failed = decode<Failed>(only_frame(encode(sample_failed())).payload);
  EXPECT_EQ(failed.fault, Fault::record);
  EXPECT_EQ(failed.culprits, sample_failed().culprits);
}

// The layout is a contract between binaries that may be of different builds.
TEST(Codec, HasTheDocumentedLayout) {
  EXPECT_EQ(encode(Publish{"ab", 0x01020304, 5}),
            "\x0e\0\0\0\x02"s + "\x02\0\0\0"s + "ab" + "\x04\x03\x02\x01" + "\x05\0\0\0"s);
  EXPECT_EQ(encode(Committed{-2, false}), "\x09\0\0\0\x42"s + "\xfe\xff\xff\xff\xff\xff\xff\xff" + "\0"s);
}

TEST(Codec, RefusesEveryTruncationAndTrailingBytes) {
  for (const Sample &sample : samples()) {
    std::string const payload = sample.frame.substr(k_header_size);
    for (std::size_t length = 0; length < payload.size(); ++length)
      EXPECT_THROW(sample.again(std::string_view(payload).substr(0, length)), Error) << length;
    EXPECT_THROW(sample.again(payload + '\0'), Error);
  }
}

TEST(Codec, RefusesValuesThatDoNotExist) {
  std::string failed = encode(sample_failed()).substr(k_header_size);
  for (char fault : {'\0', '\x06', '\xff'}) {
    failed[0] = fault;
    EXPECT_THROW(decode<Failed>(failed), Error);
  }
  std::string committed = encode(Committed{}).substr(k_header_size);
  committed.back() = 2;
  EXPECT_THROW(decode<Committed>(committed), Error);
}

TEST(Codec, RefusesCountsAndLengthsThatAreNotThere) {
  EXPECT_THROW(decode<Validate>("\xff\xff\xff\xff"s), Error);
  EXPECT_THROW(decode<Validate>("\x01\0\0\0\xff\xff\xff\xff"s), Error);
  EXPECT_THROW(decode<Report>("\x02\0\0\0\0\0"s), Error);
}

TEST(Codec, RefusesToWriteWhatNoPeerWouldRead) {
  EXPECT_THROW(encode(Publish{std::string(k_max_payload, 'x'), 1, 1}), Error);
}

TEST(Frames, ArriveInPiecesOfAnySize) {
  std::string stream;
  for (const Sample &sample : samples()) stream += sample.frame;
  stream += encode_valid();
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameReader reader;
    std::string seen;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.feed(std::string_view(stream).substr(at, piece));
      while (auto frame = reader.take()) {
        char const size = static_cast<char>(frame->payload.size());
        ASSERT_LT(frame->payload.size(), 128u + 128u);
        seen += std::string{size, 0, 0, 0, static_cast<char>(frame->type)} + frame->payload;
      }
    }
    EXPECT_EQ(seen, stream);
    EXPECT_TRUE(reader.at_boundary());
  }
}

TEST(Frames, KnowsAnUnfinishedFrame) {
  std::string const bytes = encode(Committed{});
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    FrameReader reader;
    reader.feed(std::string_view(bytes).substr(0, length));
    EXPECT_FALSE(reader.at_boundary());
    EXPECT_FALSE(reader.take().has_value());
  }
}

TEST(Frames, RefusesUnknownTypesAndHugePayloads) {
  for (int type = 0; type < 256; ++type) {
    bool const known = (type >= 1 && type <= 8) || (type >= 65 && type <= 72);
    FrameReader reader;
    std::string const header{0, 0, 0, 0, static_cast<char>(type)};
    if (known) EXPECT_NO_THROW(reader.feed(header)) << type;
    else EXPECT_THROW(reader.feed(header), Error) << type;
  }
  FrameReader huge;
  EXPECT_THROW(huge.feed("\x01\0\0\x10\x01"s), Error);     // k_max_payload + 1
  FrameReader allowed;
  EXPECT_NO_THROW(allowed.feed("\0\0\0\x10\x01"s));        // k_max_payload, nothing allocated for it yet
}

TEST(Messages, RoundTripInFramesOfTheWantedSize) {
  MessagesWriter writer(1000);
  std::vector<std::pair<std::string, std::string>> sent;
  for (int i = 0; i < 500; ++i) sent.emplace_back("key" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'v'));
  sent.emplace_back("", "");
  sent.emplace_back("large", std::string(5000, 'l'));
  for (std::size_t i = 0; i < sent.size(); ++i)
    writer.append({static_cast<std::uint16_t>(i * 131), sent[i].first, sent[i].second});
  EXPECT_EQ(writer.count(), sent.size());

  FrameReader reader;
  reader.feed(writer.finish());
  EXPECT_TRUE(reader.at_boundary());
  std::size_t position = 0;
  int frames = 0;
  while (auto frame = reader.take()) {
    ++frames;
    EXPECT_EQ(frame->type, Type::messages);
    MessagesReader messages(frame->payload);
    std::size_t inside = 0;
    while (auto message = messages.next()) {
      ASSERT_LT(position, sent.size());
      EXPECT_EQ(message->topic, static_cast<std::uint16_t>(position * 131));
      EXPECT_EQ(message->key, sent[position].first);
      EXPECT_EQ(message->value, sent[position].second);
      ++position, ++inside;
    }
    EXPECT_TRUE(frame->payload.size() <= 1000 || inside == 1);
  }
  EXPECT_EQ(position, sent.size());
  EXPECT_GT(frames, 100);
}

TEST(Messages, WriterStartsAgainAfterClear) {
  MessagesWriter writer;
  EXPECT_TRUE(writer.finish().empty());
  writer.append({1, "k", "v"});
  std::string const once(writer.finish());
  writer.clear();
  EXPECT_EQ(writer.count(), 0u);
  writer.append({1, "k", "v"});
  EXPECT_EQ(writer.finish(), once);
  writer.append({2, "k", "v"});      // after finish() a new frame starts
  FrameReader reader;
  reader.feed(writer.finish());
  EXPECT_TRUE(reader.take() && reader.take() && !reader.take());
}

TEST(Messages, WriterRefusesWhatNoFrameHoldsAndStaysUsable) {
  MessagesWriter writer;
  std::string const huge(k_max_payload, 'x');
  EXPECT_THROW(writer.append({0, "", huge}), Error);
  EXPECT_EQ(writer.size(), 0u);
  writer.append({0, "a", "b"});
  EXPECT_EQ(writer.count(), 1u);
}

TEST(Messages, ReaderRefusesEveryTruncation) {
  MessagesWriter writer;
  writer.append({5, "key", "value"});
  std::string const payload(writer.finish().substr(k_header_size));
  for (std::size_t length = 1; length < payload.size(); ++length) {
    MessagesReader reader(std::string_view(payload).substr(0, length));
    EXPECT_THROW(reader.next(), Error) << length;
  }
  std::string const false_length = "\0\0\xff\xff\xff\xffkey"s;
  MessagesReader lying(false_length);
  EXPECT_THROW(lying.next(), Error);
}

}  // namespace
}  // namespace migrator::wire
