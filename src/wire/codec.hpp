#pragma once
// Frames of wire/protocol.hpp to bytes and back. The bytes come from another process: every length and count is
// checked against what is really there before it is used. Errors are migrator::Error with SQLSTATE internal: a
// frame that makes no sense is a defect. They name the field's kind and the sizes, never the content.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "wire/protocol.hpp"

#include "base/no_postgres.hpp"

namespace migrator::wire {

// A whole frame, header included. Throws if the payload would exceed k_max_payload.
std::string encode(const Open &message);
std::string encode(const Opened &message);
std::string encode(const Publish &message);
std::string encode(const Committed &message);
std::string encode(const Failed &message);
std::string encode(const Check &message);
std::string encode(const Report &message);
std::string encode(const Validate &message);
std::string encode(const Look &message);
std::string encode(const Seen &message);
std::string encode(const Assign &message);
std::string encode(const Assigned &message);
std::string encode(const Poll &message);
std::string encode_valid();        // the one frame without a payload

// The struct a payload holds: any of those above.
// Throws if the payload is too short, too long, or holds a value that does not exist.
template <typename Struct> Struct decode(std::string_view payload);

extern template Open decode<Open>(std::string_view);
extern template Opened decode<Opened>(std::string_view);
extern template Publish decode<Publish>(std::string_view);
extern template Committed decode<Committed>(std::string_view);
extern template Failed decode<Failed>(std::string_view);
extern template Check decode<Check>(std::string_view);
extern template Report decode<Report>(std::string_view);
extern template Validate decode<Validate>(std::string_view);
extern template Look decode<Look>(std::string_view);
extern template Seen decode<Seen>(std::string_view);
extern template Assign decode<Assign>(std::string_view);
extern template Assigned decode<Assigned>(std::string_view);
extern template Poll decode<Poll>(std::string_view);

struct Frame {
  Type type = Type::open;
  std::string payload;
};

// Bytes as a socket delivers them, in pieces of any size, to frames.
class FrameReader {
public:
  // Takes the bytes in. Throws on an unknown type and on a payload above k_max_payload; after that the stream
  // has no meaning any more and the reader must not be used again.
  void feed(std::string_view bytes);
  // The next complete frame, in the order of arrival.
  std::optional<Frame> take();
  // True if the stream ends between two frames, as it does when the peer closes in good order.
  bool at_boundary() const noexcept { return !in_payload_ && header_.empty(); }

private:
  void start_payload();

  std::string header_;             // of the frame under way, until it is complete
  bool in_payload_ = false;
  std::size_t missing_ = 0;        // bytes of payload still to come
  Frame current_;
  std::deque<Frame> complete_;
};

// Messages frames, built one message after another in one buffer that can be written to the socket as it is.
// Keeps its memory over clear(), so that a worker allocates for its first chunks only.
class MessagesWriter {
public:
  // A payload is at most frame_size bytes; only a message larger than that has a larger frame, of its own.
  explicit MessagesWriter(std::size_t frame_size = 256u << 10) noexcept : frame_size_(frame_size) {}

  void reserve(std::size_t bytes) { buffer_.reserve(bytes); }
  // Throws, and leaves the buffer as it was, if the message alone exceeds k_max_payload.
  void append(const Message &message);
  std::uint32_t count() const noexcept { return count_; }    // messages appended, what Publish::count must say
  std::size_t size() const noexcept { return buffer_.size(); }  // bytes so far, headers included
  // Closes the frame under way. The view is valid until the next append() or clear().
  std::string_view finish() noexcept;
  void clear() noexcept;

private:
  void close_frame() noexcept;

  std::size_t frame_size_;
  std::string buffer_;
  std::size_t frame_start_ = 0;    // of the frame under way; equal to the size if there is none
  std::uint32_t count_ = 0;
};

// The messages of one Messages payload, without a copy: the views point into the payload.
class MessagesReader {
public:
  explicit MessagesReader(std::string_view payload) noexcept : rest_(payload) {}
  explicit MessagesReader(std::string &&) = delete;   // it would be gone before the first message
  // The next message; none at the end. Throws if the payload ends inside a message.
  std::optional<Message> next();

private:
  std::string_view rest_;
};

}  // namespace migrator::wire
