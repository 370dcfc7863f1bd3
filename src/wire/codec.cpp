#include "wire/codec.hpp"

#include <algorithm>
#include <concepts>
#include <cstring>
#include <type_traits>

#include "wire/integer.hpp"

#include "base/no_postgres.hpp"

namespace migrator::wire {
namespace {

// The fields of each struct in their order on the wire, for both directions.
template <typename M, typename T> concept Is = std::same_as<std::remove_const_t<M>, T>;

void fields(auto &visit, Is<Open> auto &m) {
  visit(m.version, m.properties, m.transactional_id, m.marker_topic, m.marker_partition, m.marker_partitions,
        m.marker_offset, m.first_marker, m.wanted, m.topics, m.deadline_ms);
}
void fields(auto &visit, Is<Marker> auto &m) { visit(m.offset, m.value); }
void fields(auto &visit, Is<TopicInfo> auto &m) { visit(m.partitions, m.max_message_bytes); }
void fields(auto &visit, Is<Opened> auto &m) { visit(m.cluster_id, m.marker_high, m.last, m.wanted, m.used, m.topics); }
void fields(auto &visit, Is<Publish> auto &m) { visit(m.marker, m.count, m.deadline_ms); }
void fields(auto &visit, Is<Committed> auto &m) { visit(m.marker_offset, m.tainted); }
void fields(auto &visit, Is<Failed> auto &m) { visit(m.fault, m.code, m.text, m.culprits); }
void fields(auto &visit, Is<Check> auto &m) {
  visit(m.properties, m.transactional_id, m.marker_topic, m.topics, m.deadline_ms);
}
void fields(auto &visit, Is<Finding> auto &m) { visit(m.check, m.ok, m.detail, m.remedy); }
void fields(auto &visit, Is<Report> auto &m) { visit(m.findings); }
void fields(auto &visit, Is<Validate> auto &m) { visit(m.properties); }
void fields(auto &visit, Is<Look> auto &m) { visit(m.version, m.properties, m.topics, m.deadline_ms); }
void fields(auto &visit, Is<Range> auto &m) { visit(m.problem, m.low, m.end); }
void fields(auto &visit, Is<TopicRanges> auto &m) { visit(m.problem, m.partitions); }
void fields(auto &visit, Is<Seen> auto &m) { visit(m.cluster_id, m.topics); }
void fields(auto &visit, Is<Position> auto &m) { visit(m.topic, m.partition, m.next, m.witness); }
void fields(auto &visit, Is<Assign> auto &m) { visit(m.version, m.properties, m.positions, m.deadline_ms); }
void fields(auto &visit, Is<Assigned> auto &m) { visit(m.cluster_id, m.ranges); }
void fields(auto &visit, Is<Poll> auto &m) { visit(m.bytes, m.records, m.wait_ms); }

class Writer {
public:
  explicit Writer(Type type) : frame_(k_header_size, '\0') { frame_[4] = static_cast<char>(type); }

  template <typename... T> void operator()(const T &...values) { (write(values), ...); }

  std::string finish() && {
    std::size_t const payload = frame_.size() - k_header_size;
    if (payload > k_max_payload) malformed("payload of " + std::to_string(payload) + " bytes is above the limit");
    put(frame_.data(), static_cast<std::uint32_t>(payload));
    return std::move(frame_);
  }

private:
  template <Number T> void write(T value) {
    char bytes[sizeof(T)];
    put(bytes, value);
    frame_.append(bytes, sizeof(T));
  }
  void write(bool value) { frame_.push_back(value ? 1 : 0); }
  void write(Fault value) { write(static_cast<std::uint8_t>(value)); }
  void write_length(std::size_t length) {
    if (length > k_max_payload) malformed("a length of " + std::to_string(length) + " is above the limit");
    write(static_cast<std::uint32_t>(length));
  }
  void write(const std::string &value) {
    write_length(value.size());
    frame_.append(value);
  }
  void write(const std::pair<std::string, std::string> &value) { write(value.first), write(value.second); }
  template <typename T> void write(const std::vector<T> &values) {
    write_length(values.size());
    for (const T &value : values) write(value);
  }
  template <typename T> void write(const std::optional<T> &value) {
    write(value.has_value());
    if (value) write(*value);
  }
  template <typename T> requires std::is_class_v<T> void write(const T &value) { fields(*this, value); }

  std::string frame_;
};

class Reader {
public:
  explicit Reader(std::string_view payload) noexcept : rest_(payload) {}

  template <typename... T> void operator()(T &...values) { (read(values), ...); }

  void finish() const {
    if (!rest_.empty()) malformed(std::to_string(rest_.size()) + " bytes too many");
  }

private:
  std::string_view bytes(std::size_t count) {
    if (count > rest_.size())
      malformed(std::to_string(count) + " bytes expected, " + std::to_string(rest_.size()) + " there");
    std::string_view const result = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return result;
  }
  template <Number T> void read(T &value) { value = get<T>(bytes(sizeof(T)).data()); }
  void read(bool &value) {
    auto const byte = get<std::uint8_t>(bytes(1).data());
    if (byte > 1) malformed("a boolean has the value " + std::to_string(byte));
    value = byte == 1;
  }
  void read(Fault &value) {
    auto const byte = get<std::uint8_t>(bytes(1).data());
    if (byte < static_cast<std::uint8_t>(Fault::unavailable) || byte > static_cast<std::uint8_t>(Fault::protocol))
      malformed("unknown fault " + std::to_string(byte));
    value = static_cast<Fault>(byte);
  }
  void read(std::string &value) {
    std::uint32_t length = 0;
    read(length);
    value = bytes(length);
  }
  void read(std::pair<std::string, std::string> &value) { read(value.first), read(value.second); }
  // The count is not trusted with an allocation: the list grows with the items that are really there,
  // and an item takes at least a byte, so that a false count ends at the end of the payload.
  template <typename T> void read(std::vector<T> &values) {
    std::uint32_t count = 0;
    read(count);
    if (count > rest_.size())
      malformed("a list of " + std::to_string(count) + " in " + std::to_string(rest_.size()) + " bytes");
    values.clear();
    for (std::uint32_t i = 0; i < count; ++i) read(values.emplace_back());
  }
  template <typename T> void read(std::optional<T> &value) {
    bool there = false;
    read(there);
    value.reset();
    if (there) read(value.emplace());
  }
  template <typename T> requires std::is_class_v<T> void read(T &value) { fields(*this, value); }

  std::string_view rest_;
};

template <typename Struct> std::string encode_as(Type type, const Struct &message) {
  Writer writer(type);
  fields(writer, message);
  return std::move(writer).finish();
}

bool known(std::uint8_t type) noexcept {
  return (type >= static_cast<std::uint8_t>(Type::open) && type <= static_cast<std::uint8_t>(Type::poll)) ||
         (type >= static_cast<std::uint8_t>(Type::opened) && type <= static_cast<std::uint8_t>(Type::records));
}

}  // namespace

std::string encode(const Open &message) { return encode_as(Type::open, message); }
std::string encode(const Opened &message) { return encode_as(Type::opened, message); }
std::string encode(const Publish &message) { return encode_as(Type::publish, message); }
std::string encode(const Committed &message) { return encode_as(Type::committed, message); }
std::string encode(const Failed &message) { return encode_as(Type::failed, message); }
std::string encode(const Check &message) { return encode_as(Type::check, message); }
std::string encode(const Report &message) { return encode_as(Type::report, message); }
std::string encode(const Validate &message) { return encode_as(Type::validate, message); }
std::string encode(const Look &message) { return encode_as(Type::look, message); }
std::string encode(const Seen &message) { return encode_as(Type::seen, message); }
std::string encode(const Assign &message) { return encode_as(Type::assign, message); }
std::string encode(const Assigned &message) { return encode_as(Type::assigned, message); }
std::string encode(const Poll &message) { return encode_as(Type::poll, message); }
std::string encode_valid() { return Writer(Type::valid).finish(); }

template <typename Struct> Struct decode(std::string_view payload) {
  Struct result;
  Reader reader(payload);
  fields(reader, result);
  reader.finish();
  return result;
}

template Open decode<Open>(std::string_view);
template Opened decode<Opened>(std::string_view);
template Publish decode<Publish>(std::string_view);
template Committed decode<Committed>(std::string_view);
template Failed decode<Failed>(std::string_view);
template Check decode<Check>(std::string_view);
template Report decode<Report>(std::string_view);
template Validate decode<Validate>(std::string_view);
template Look decode<Look>(std::string_view);
template Seen decode<Seen>(std::string_view);
template Assign decode<Assign>(std::string_view);
template Assigned decode<Assigned>(std::string_view);
template Poll decode<Poll>(std::string_view);

void FrameReader::start_payload() {
  auto const length = get<std::uint32_t>(header_.data());
  auto const type = get<std::uint8_t>(header_.data() + 4);
  if (!known(type)) malformed("unknown type " + std::to_string(type));
  if (length > k_max_payload) malformed("payload of " + std::to_string(length) + " bytes is above the limit");
  header_.clear();
  current_.type = static_cast<Type>(type);
  // Beyond this the buffer grows with what arrives: a false length costs nothing.
  current_.payload.reserve(std::min<std::size_t>(length, 1u << 20));
  missing_ = length;
  in_payload_ = true;
}

void FrameReader::feed(std::string_view bytes) {
  for (;;) {
    if (!in_payload_) {
      std::size_t const part = std::min(bytes.size(), k_header_size - header_.size());
      header_.append(bytes.substr(0, part));
      bytes.remove_prefix(part);
      if (header_.size() < k_header_size) return;
      start_payload();
    }
    std::size_t const part = std::min(bytes.size(), missing_);
    current_.payload.append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    missing_ -= part;
    if (missing_ > 0) return;
    complete_.push_back(std::exchange(current_, Frame{}));
    in_payload_ = false;
  }
}

std::optional<Frame> FrameReader::take() {
  if (complete_.empty()) return std::nullopt;
  Frame frame = std::move(complete_.front());
  complete_.pop_front();
  return frame;
}

void MessagesWriter::append(const Message &message) {
  constexpr std::size_t k_overhead = sizeof(std::uint16_t) + 2 * sizeof(std::uint32_t);
  // Each part first, so that the sum cannot overflow.
  if (message.key.size() > k_max_payload || message.value.size() > k_max_payload ||
      k_overhead + message.key.size() + message.value.size() > k_max_payload)
    malformed("a message of " + std::to_string(message.key.size()) + " + " + std::to_string(message.value.size()) +
              " bytes does not fit into a frame");
  std::size_t const bytes = k_overhead + message.key.size() + message.value.size();
  // A message that would make a frame too long starts a new one; only a single large message exceeds frame_size_.
  if (frame_start_ < buffer_.size() && buffer_.size() - frame_start_ - k_header_size + bytes > frame_size_) close_frame();
  bool const starts = frame_start_ == buffer_.size();
  std::size_t const needed = buffer_.size() + (starts ? k_header_size : 0) + bytes;
  if (needed > buffer_.capacity()) buffer_.reserve(std::max(needed, 2 * buffer_.capacity()));
  // From here on nothing throws.
  if (starts) buffer_.append({0, 0, 0, 0, static_cast<char>(Type::messages)});
  char head[sizeof(std::uint16_t) + sizeof(std::uint32_t)];
  put(head, message.topic);
  put(head + sizeof(std::uint16_t), static_cast<std::uint32_t>(message.key.size()));
  buffer_.append(head, sizeof head);
  buffer_.append(message.key);
  char length[sizeof(std::uint32_t)];
  put(length, static_cast<std::uint32_t>(message.value.size()));
  buffer_.append(length, sizeof length);
  buffer_.append(message.value);
  ++count_;
}

void MessagesWriter::close_frame() noexcept {
  if (frame_start_ == buffer_.size()) return;
  put(buffer_.data() + frame_start_, static_cast<std::uint32_t>(buffer_.size() - frame_start_ - k_header_size));
  frame_start_ = buffer_.size();
}

std::string_view MessagesWriter::finish() noexcept {
  close_frame();
  return buffer_;
}

void MessagesWriter::clear() noexcept {
  buffer_.clear();
  frame_start_ = 0;
  count_ = 0;
}

std::optional<Message> MessagesReader::next() {
  if (rest_.empty()) return std::nullopt;
  auto part = [this](std::size_t count) {
    if (count > rest_.size())
      malformed("a message ends after " + std::to_string(rest_.size()) + " of " + std::to_string(count) + " bytes");
    std::string_view const result = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return result;
  };
  Message message;
  message.topic = get<std::uint16_t>(part(sizeof(std::uint16_t)).data());
  message.key = part(get<std::uint32_t>(part(sizeof(std::uint32_t)).data()));
  message.value = part(get<std::uint32_t>(part(sizeof(std::uint32_t)).data()));
  return message;
}

}  // namespace migrator::wire
