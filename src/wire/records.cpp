#include "wire/records.hpp"

#include <algorithm>

#include "wire/integer.hpp"

#include "base/no_postgres.hpp"

namespace migrator::wire {
namespace {

constexpr std::uint8_t k_has_key = 1, k_has_value = 2, k_end = 4;
constexpr std::size_t k_head = 1 + sizeof(std::uint32_t) + 2 * sizeof(std::int64_t);

std::size_t part_size(const std::optional<std::string_view> &part) noexcept {
  return part ? sizeof(std::uint32_t) + part->size() : 0;
}

}  // namespace

RecordsWriter::RecordsWriter(std::size_t expected) {
  buffer_.reserve(expected);
  buffer_.assign({0, 0, 0, 0, static_cast<char>(Type::records)});
}

bool RecordsWriter::fits(const Record &record) const noexcept {
  constexpr std::size_t k_limit = k_max_payload + k_header_size;
  // Each part first, so that the sum cannot overflow.
  return part_size(record.key) <= k_limit && part_size(record.value) <= k_limit &&
         buffer_.size() + k_head + part_size(record.key) + part_size(record.value) <= k_limit;
}

void RecordsWriter::append(const Record &record) {
  if (!fits(record)) malformed("a record does not fit into a frame of " + std::to_string(buffer_.size()) + " bytes");
  std::size_t const needed = buffer_.size() + k_head + part_size(record.key) + part_size(record.value);
  if (needed > buffer_.capacity()) buffer_.reserve(std::max(needed, 2 * buffer_.capacity()));
  char head[k_head];
  head[0] = static_cast<char>((record.key ? k_has_key : 0) | (record.value ? k_has_value : 0) | (record.end ? k_end : 0));
  put(head + 1, record.position);
  put(head + 5, record.offset);
  put(head + 13, record.timestamp);
  buffer_.append(head, sizeof head);
  for (const std::optional<std::string_view> &part : {record.key, record.value}) {
    if (!part) continue;
    char length[sizeof(std::uint32_t)];
    put(length, static_cast<std::uint32_t>(part->size()));
    buffer_.append(length, sizeof length).append(*part);
  }
}

std::string RecordsWriter::finish() && {
  put(buffer_.data(), static_cast<std::uint32_t>(buffer_.size() - k_header_size));
  return std::move(buffer_);
}

std::optional<Record> RecordsReader::next() {
  if (rest_.empty()) return std::nullopt;
  auto part = [this](std::size_t count) {
    if (count > rest_.size())
      malformed("a record ends after " + std::to_string(rest_.size()) + " of " + std::to_string(count) + " bytes");
    std::string_view const result = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return result;
  };
  std::string_view const head = part(k_head);
  auto const flags = get<std::uint8_t>(head.data());
  if (flags > k_end) malformed("a record has the flags " + std::to_string(flags));
  Record record;
  record.end = flags == k_end;
  record.position = get<std::uint32_t>(head.data() + 1);
  record.offset = get<std::int64_t>(head.data() + 5);
  record.timestamp = get<std::int64_t>(head.data() + 13);
  if ((flags & k_has_key) != 0) record.key = part(get<std::uint32_t>(part(sizeof(std::uint32_t)).data()));
  if ((flags & k_has_value) != 0) record.value = part(get<std::uint32_t>(part(sizeof(std::uint32_t)).data()));
  return record;
}

}  // namespace migrator::wire
