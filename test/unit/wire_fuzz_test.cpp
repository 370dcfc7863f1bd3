// Random bytes and mutated frames into the decoder: it may refuse, it must not crash, hang or read out of bounds.

#include "base/error.hpp"
#include "fuzz.hpp"
#include "wire/codec.hpp"
#include "wire/records.hpp"

namespace migrator::wire {
namespace {

using WireFuzz = test::Fuzz;

// Whatever is accepted must encode to the very same bytes: the format has one form for each value.
template <typename Struct> bool accepted(std::string_view payload) {
  try {
    std::string const frame = encode(decode<Struct>(payload));
    EXPECT_EQ(std::string_view(frame).substr(k_header_size), payload);
    return true;
  } catch (const Error &) {
    return false;
  }
}

bool messages_accepted(std::string_view payload) {
  try {
    MessagesReader reader(payload);
    std::size_t bytes = 0;
    while (auto message = reader.next()) bytes += 10 + message->key.size() + message->value.size();
    EXPECT_EQ(bytes, payload.size());
    return true;
  } catch (const Error &) {
    return false;
  }
}

bool records_accepted(std::string_view payload) {
  try {
    RecordsReader reader(payload);
    RecordsWriter writer;
    while (auto record = reader.next()) writer.append(*record);
    std::string const frame = std::move(writer).finish();
    EXPECT_EQ(std::string_view(frame).substr(k_header_size), payload);
    return true;
  } catch (const Error &) {
    return false;
  }
}

unsigned try_all(std::string_view payload) {
  return accepted<Open>(payload) + accepted<Opened>(payload) + accepted<Publish>(payload) + accepted<Committed>(payload) +
         accepted<Failed>(payload) + accepted<Check>(payload) + accepted<Report>(payload) + accepted<Validate>(payload) +
         accepted<Look>(payload) + accepted<Seen>(payload) + accepted<Assign>(payload) + accepted<Assigned>(payload) +
         accepted<Poll>(payload) + messages_accepted(payload) + records_accepted(payload);
}

TEST_F(WireFuzz, RandomBytes) {
  unsigned long seen = 0;
  repeat([&] {
    std::string bytes(below(64), '\0');
    // Small values make lengths and counts that fit, so that the decoder gets further.
    for (char &byte : bytes) byte = static_cast<char>(below(4) ? below(4) : below(256));
    seen += try_all(bytes);
    FrameReader reader;
    try {
      reader.feed(bytes);
      while (reader.take()) ++seen;
    } catch (const Error &) {
    }
  });
  EXPECT_GT(seen, 0u) << "nothing was accepted: the test does not reach the decoder, seed " << seed_;
}

TEST_F(WireFuzz, MutatedFrames) {
  MessagesWriter writer(64);
  for (int i = 0; i < 8; ++i) writer.append({static_cast<std::uint16_t>(i), "key", std::string(static_cast<std::size_t>(i) * 9, 'v')});
  RecordsWriter records;
  for (unsigned i = 0; i < 4; ++i) records.append({.position = i, .offset = 9, .timestamp = 4, .key = "key", .value = "value"});
  records.append({.position = 1, .offset = 13, .end = true});
  std::string const streams[] = {
      encode(Open{.properties = {{"a", "b"}, {"c", "d"}}, .transactional_id = "t", .marker_topic = "m", .first_marker = "f", .wanted = "w", .topics = {"x", "yy"}}),
      encode(Opened{.cluster_id = "c", .last = Marker{3, "v"}, .wanted = Marker{2, "w"}, .used = {0, 5}, .topics = {{1, 2}, {3, 4}}}),
      encode(Publish{"marker", 3, 4}),
      encode(Failed{Fault::record, "code", "text", {1, 2, 3}}),
      encode(Check{{{"a", "b"}}, "t", "m", {"x"}, 9}),
      encode(Report{{{"a", true, "b", "c"}, {"d", false, "e", "f"}}}),
      encode(Seen{"c", {{"", {{"", 1, 2}, {"p", 3, 4}}}, {"gone", {}}}}),
      encode(Assign{.properties = {{"a", "b"}}, .positions = {{"x", 1, 2, 3}, {"y", 4, 5, -1}}}),
      std::move(records).finish(),
      std::string(writer.finish())};
  unsigned long accepted_frames = 0, refused = 0;
  unsigned long const rounds = repeat([&] {
    std::string const bytes = mutated(one_of(streams));
    FrameReader reader;
    try {
      std::size_t const cut = below(bytes.size() + 1);
      reader.feed(std::string_view(bytes).substr(0, cut));
      reader.feed(std::string_view(bytes).substr(cut));
      while (auto frame = reader.take()) accepted_frames += try_all(frame->payload);
    } catch (const Error &) {
      ++refused;
    }
  });
  EXPECT_GT(accepted_frames, rounds / 10);
  EXPECT_GT(refused, 0u);
}

}  // namespace
}  // namespace migrator::wire
