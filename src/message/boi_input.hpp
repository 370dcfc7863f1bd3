#pragma once
// The messages that we write: BoiInput for the simple fields of an instance, BoiInput for one link, and the
// reference check. Compact JSON, keys in the order of the sample: recordId, externalId, id, boCode, fields,
// boFields, state. What is absent is left out.

#include <string>
#include <string_view>
#include <vector>

#include "base/no_postgres.hpp"

namespace migrator::message {

// A message with simple fields, written piece by piece into a buffer that is used again and again.
class FieldsWriter {
public:
  explicit FieldsWriter(std::string &out) : out_(out) {}

  // id: empty for none.
  void begin(std::string_view record_id, std::string_view external_id, std::string_view id, std::string_view bo_code);
  // The field's code; its value follows by one of the two, or by writing between open_value and close_value
  // what needs no escapes.
  void open_value(std::string_view code);
  void close_value();
  void text(std::string_view code, std::string_view value);
  bool has_fields() const noexcept { return fields_ > 0; }
  // state: ACTUAL or REMOVED; a removed instance has no fields.
  void end(std::string_view state);

private:
  void begin_field(std::string_view code);
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
