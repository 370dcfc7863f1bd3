#pragma once
// The messages that we write: BoiInput for the simple fields of an instance, BoiInput for one link, and the
// reference check. Compact JSON, keys in the order of the sample: recordId, externalId, id, boCode, fields,
// boFields, state. What is absent is left out.

#include <string>
#include <string_view>
#include <vector>

#include "base/no_postgres.hpp"

namespace migrator::message {

// What stands before the value of a field with this code: made once, since the same fields come in every message.
class FieldHead {
public:
  explicit FieldHead(std::string_view code);
  std::string_view text() const noexcept { return text_; }

private:
  std::string text_;
};

// A message with simple fields, written piece by piece into a buffer that is used again and again.
class FieldsWriter {
public:
  explicit FieldsWriter(std::string &out) : out_(out) {}

  // id: empty for none.
  void begin(std::string_view record_id, std::string_view external_id, std::string_view id, std::string_view bo_code);
  // A field with its value; or a value that is written between open_value and close_value and needs no escapes.
  void text(const FieldHead &head, std::string_view value);
  void open_value(const FieldHead &head);
  void close_value();
  bool has_fields() const noexcept { return fields_ > 0; }
  // state: ACTUAL or REMOVED; a removed instance has no fields.
  void end(std::string_view state);

private:
  void begin_field(const FieldHead &head);
  std::string &out_;
  int fields_ = 0;
};

struct Link {
  std::string_view field_code;
  std::string_view to_bo_code;
  std::string_view to_external_id;
};

void append_link(std::string &out, std::string_view record_id, std::string_view external_id, std::string_view bo_code,
                 const Link &link);

void append_reference_check(std::string &out, std::string_view record_id, std::string_view external_id,
                            std::string_view bo_code, const std::vector<Link> &links);

}  // namespace migrator::message
