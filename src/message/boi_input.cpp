#include "message/boi_input.hpp"

#include "message/json.hpp"

#include "base/no_postgres.hpp"

namespace migrator::message {
namespace {

void append_head(std::string &out, std::string_view record_id, std::string_view external_id, std::string_view id,
                 std::string_view bo_code) {
  out += "{\"recordId\":";
  append_string(out, record_id);
  out += ",\"externalId\":";
  append_string(out, external_id);
  if (!id.empty()) {
    out += ",\"id\":";
    append_string(out, id);
  }
  out += ",\"boCode\":";
  append_string(out, bo_code);
}

}  // namespace

void FieldsWriter::begin(std::string_view record_id, std::string_view external_id, std::string_view id,
                         std::string_view bo_code) {
  fields_ = 0;
  append_head(out_, record_id, external_id, id, bo_code);
}

FieldHead::FieldHead(std::string_view code) {
  text_ = "{\"code\":";
  append_string(text_, code);
  text_ += ",\"apiValue\":";
}

void FieldsWriter::begin_field(const FieldHead &head) {
  out_ += fields_++ == 0 ? ",\"fields\":[" : ",";
  out_ += head.text();
}

void FieldsWriter::open_value(const FieldHead &head) {
  begin_field(head);
  out_ += '"';
}

void FieldsWriter::close_value() { out_ += "\"}"; }

void FieldsWriter::text(const FieldHead &head, std::string_view value) {
  begin_field(head);
  append_string(out_, value);
  out_ += '}';
}

void FieldsWriter::end(std::string_view state) {
  if (fields_ > 0) out_ += ']';
  out_ += ",\"state\":\"";
  out_ += state;
  out_ += "\"}";
}

void append_link(std::string &out, std::string_view record_id, std::string_view external_id, std::string_view bo_code,
                 const Link &link) {
  append_head(out, record_id, external_id, {}, bo_code);
  out += ",\"boFields\":[{\"fieldCode\":";
  append_string(out, link.field_code);
  out += ",\"boiInput\":{\"externalId\":";
  append_string(out, link.to_external_id);
  out += ",\"boCode\":";
  append_string(out, link.to_bo_code);
  out += "}}]}";
}

void append_reference_check(std::string &out, std::string_view record_id, std::string_view external_id,
                            std::string_view bo_code, const std::vector<Link> &links) {
  append_head(out, record_id, external_id, {}, bo_code);
  out += ",\"check\":[";
  for (std::size_t i = 0; i < links.size(); i++) {
    out += i == 0 ? "{\"fieldCode\":" : ",{\"fieldCode\":";
    append_string(out, links[i].field_code);
    out += ",\"boCode\":";
    append_string(out, links[i].to_bo_code);
    out += ",\"externalId\":";
    append_string(out, links[i].to_external_id);
    out += '}';
  }
  out += "]}";
}

}  // namespace migrator::message
