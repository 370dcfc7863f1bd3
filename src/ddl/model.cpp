#include "ddl/model.hpp"

#include <jansson.h>

#include <memory>

#include "base/error.hpp"
#include "base/no_postgres.hpp"

namespace migrator::ddl {
namespace {

struct Release {
  void operator()(json_t *json) const noexcept { json_decref(json); }
};
using Json = std::unique_ptr<json_t, Release>;

[[noreturn]] void fail(const std::string &what) {
  throw Error(sqlstate::invalid_parameter, "not a structure: " + what).hint("Pass what migrator.dump_structure gives.");
}

std::string text(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_string(value)) fail(std::string("\"") + key + "\" must be a string");
  return {json_string_value(value), json_string_length(value)};
}

json_t *array(const json_t *object, const char *key) {
  json_t *value = json_object_get(object, key);
  if (!json_is_array(value)) fail(std::string("\"") + key + "\" must be an array");
  return value;
}

Field parse_field(const json_t *json) {
  Field field{.code = text(json, "code"),
              .type = text(json, "type"),
              .is_loaded = json_is_true(json_object_get(json, "in")),
              .is_key = json_is_true(json_object_get(json, "key"))};
  if (field.is_link()) field.target = text(json, "target");
  return field;
}

}  // namespace

Structure parse_structure(std::string_view document) {
  json_error_t error;
  const Json root(json_loadb(document.data(), document.size(), 0, &error));
  if (!root) fail(error.text);

  Structure structure;
  structure.schema = text(json_object_get(root.get(), "company"), "in_schema");
  std::size_t i, j;
  json_t *item, *part;
  json_array_foreach(array(root.get(), "bos"), i, item) {
    BusinessObject &bo = structure.bos.emplace_back(BusinessObject{.code = text(item, "code"), .fields = {}});
    json_array_foreach(array(item, "fields"), j, part) bo.fields.push_back(parse_field(part));
  }
  json_array_foreach(array(root.get(), "cos"), i, item) {
    std::vector<std::string> &members = structure.members[text(item, "code")];
    json_array_foreach(array(item, "members"), j, part) {
      if (!json_is_string(part)) fail("a member must be a string");
      members.emplace_back(json_string_value(part), json_string_length(part));
    }
  }
  return structure;
}

}  // namespace migrator::ddl
