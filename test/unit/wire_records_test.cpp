// Records frames: round trips, and everything a broken peer might send.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.hpp"
#include "wire/codec.hpp"
#include "wire/records.hpp"

namespace migrator::wire {
namespace {

using namespace std::string_literals;

const std::vector<Record> k_samples = {
    {.position = 0, .offset = 0, .timestamp = 1, .key = "k", .value = "value\0x"s},
    {.position = 70000, .offset = 1ll << 40, .timestamp = -1, .key = std::nullopt, .value = ""},
    {.position = 1, .offset = 5, .timestamp = 7, .key = "", .value = std::nullopt},
    {.position = 2, .offset = 9, .end = true},
};

std::string frame_of(const std::vector<Record> &records) {
  RecordsWriter writer;
  for (const Record &record : records) writer.append(record);
  return std::move(writer).finish();
}

TEST(Records, RoundTrip) {
  std::string const frame = frame_of(k_samples);
  FrameReader frames;
  frames.feed(frame);
  std::optional<Frame> const found = frames.take();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->type, Type::records);
  RecordsReader reader{std::string_view(found->payload)};
  for (const Record &sample : k_samples) {
    std::optional<Record> const record = reader.next();
    ASSERT_TRUE(record);
    EXPECT_EQ(record->position, sample.position);
    EXPECT_EQ(record->offset, sample.offset);
    EXPECT_EQ(record->timestamp, sample.timestamp);
    EXPECT_EQ(record->end, sample.end);
    EXPECT_EQ(record->key, sample.key);
    EXPECT_EQ(record->value, sample.value);
  }
  EXPECT_FALSE(reader.next());
}

TEST(Records, AnEmptyFrameHasNone) {
  std::string const frame = frame_of({});
  RecordsReader reader{std::string_view(frame).substr(k_header_size)};
  EXPECT_FALSE(reader.next());
}

TEST(Records, ReaderRefusesEveryTruncationAndUnknownFlags) {
  for (const Record &sample : k_samples) {
    std::string const frame = frame_of({sample});
    for (std::size_t length = k_header_size + 1; length < frame.size(); ++length) {
      RecordsReader reader(std::string_view(frame).substr(k_header_size, length - k_header_size));
      EXPECT_THROW(reader.next(), Error) << length;
    }
  }
  std::string frame = frame_of({k_samples.back()});
  for (char flags : {5, 6, 7, 8, 255}) {
    frame[k_header_size] = flags;
    RecordsReader reader(std::string_view(frame).substr(k_header_size));
    EXPECT_THROW(reader.next(), Error) << int(flags);
  }
}

TEST(Records, WriterRefusesWhatNoFrameHoldsAndStaysUsable) {
  RecordsWriter writer;
  writer.append(k_samples[0]);
  std::size_t const size = writer.size();
  std::string const huge(k_max_payload, 'x');
  EXPECT_FALSE(writer.fits({.value = huge}));
  EXPECT_THROW(writer.append({.value = huge}), Error);
  EXPECT_EQ(writer.size(), size);
  EXPECT_EQ(std::move(writer).finish(), frame_of({k_samples[0]}));
}

}  // namespace
}  // namespace migrator::wire
