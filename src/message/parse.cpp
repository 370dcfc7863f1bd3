#include "message/parse.hpp"

#include <array>
#include <bitset>
#include <span>

#include "message/json_reader.hpp"

#include "base/no_postgres.hpp"

namespace migrator::message {
namespace {

using Kind = JsonReader::Kind;

// The members of one object that we know, each of which may be there once; others are skipped.
class Members {
public:
  Members(JsonReader &json, std::span<const std::string_view> names) : json_(json), names_(names) {}

  // The position of the name in the list; -1: an unknown member, skipped.
  int find(std::string_view name) {
    int position = 0;
    for (std::string_view known : names_) {
      if (known == name) {
        if (seen_.test(static_cast<std::size_t>(position)))
          json_.fail(sqlstate::invalid_json, "\"" + std::string(name) + "\" is there twice");
        seen_.set(static_cast<std::size_t>(position));
        return position;
      }
      position++;
    }
    json_.skip();
    return -1;
  }
  bool has(std::size_t position) const { return seen_.test(position); }
  void demand(std::size_t position) const {
    if (!has(position))
      json_.fail(sqlstate::invalid_parameter, "\"" + std::string(names_[position]) + "\" is missing");
  }

private:
  JsonReader &json_;
  std::span<const std::string_view> names_;
  std::bitset<16> seen_;
};

constexpr std::array<std::string_view, 8> k_message = {"recordId", "externalId", "id",    "boCode",
                                                       "fields",   "boFields",   "state", "check"};
constexpr std::array<std::string_view, 2> k_field = {"code", "apiValue"};
constexpr std::array<std::string_view, 5> k_link = {"fieldCode", "apiValue", "boiInput", "toBoCode", "toFieldCode"};
constexpr std::array<std::string_view, 3> k_check = {"fieldCode", "boCode", "externalId"};

class Parser {
public:
  // Each message adds an object, an array and the object of its link; the rest is for what is skipped.
  Parser(std::string_view text, Document &document, int depth)
      : json_(text, document.kept, 3 * depth + 100), depth_(depth) {}

  void run(BoiInput &root) {
    if (json_.peek() != Kind::object) wrong("the message", "an object");
    message(root);
    json_.end();
  }

private:
  [[noreturn]] void wrong(std::string_view name, const char *should_be) const {
    json_.fail(sqlstate::invalid_parameter, std::string(name) + " must be " + should_be);
  }

  bool is_null() {
    if (json_.peek() != Kind::null) return false;
    json_.null();
    return true;
  }

  std::string_view string(std::string_view name) {
    if (is_null()) return {};
    if (json_.peek() != Kind::string) wrong(name, "a string");
    return json_.string();
  }

  Value value() {
    switch (json_.peek()) {
      case Kind::null: json_.null(); return {};
      case Kind::string: return {Value::Kind::string, json_.string()};
      case Kind::number: return {Value::Kind::number, json_.number()};
      case Kind::boolean: return {Value::Kind::boolean, json_.boolean() ? "true" : "false"};
      default: wrong("\"apiValue\"", "a string, a number, true, false or null");
    }
  }

  template <typename F> void objects(std::string_view name, F &&one) {
    if (is_null()) return;
    if (json_.peek() != Kind::array) wrong(name, "an array");
    json_.array([&] {
      if (json_.peek() != Kind::object) wrong(name, "an array of objects");
      one();
    });
  }

  FieldInput field() {
    FieldInput result;
    Members members(json_, k_field);
    json_.object([&](std::string_view name) {
      switch (members.find(name)) {
        case 0: result.code = string(name); break;
        case 1: result.value = value(); break;
      }
    });
    members.demand(0);
    members.demand(1);
    return result;
  }

  LinkInput link() {
    LinkInput result;
    Members members(json_, k_link);
    json_.object([&](std::string_view name) {
      switch (members.find(name)) {
        case 0: result.field_code = string(name); break;
        case 1: result.value = value(); break;
        case 2:
          if (is_null()) break;
          if (json_.peek() != Kind::object) wrong(name, "an object");
          result.target = std::make_unique<BoiInput>();
          message(*result.target);
          break;
        case 3: result.to_bo_code = string(name); break;
        case 4: result.to_field_code = string(name); break;
      }
    });
    members.demand(0);
    if (result.target == nullptr) members.demand(1);
    return result;
  }

  CheckInput check() {
    CheckInput result;
    Members members(json_, k_check);
    json_.object([&](std::string_view name) {
      switch (members.find(name)) {
        case 0: result.field_code = string(name); break;
        case 1: result.bo_code = string(name); break;
        case 2: result.external_id = string(name); break;
      }
    });
    for (std::size_t i = 0; i < 3; i++) members.demand(i);
    return result;
  }

  void message(BoiInput &result) {
    if (--depth_ < 0) json_.fail(sqlstate::program_limit, "messages are nested too deeply");
    Members members(json_, k_message);
    json_.object([&](std::string_view name) {
      switch (members.find(name)) {
        case 0: result.record_id = string(name); break;
        case 1: result.external_id = string(name); break;
        case 2: result.id = string(name); break;
        case 3: result.bo_code = string(name); break;
        case 4:
          result.fields.reserve(16);
          objects(name, [&] { result.fields.push_back(field()); });
          break;
        case 5: objects(name, [&] { result.links.push_back(link()); }); break;
        case 6: result.state = string(name); break;
        case 7:
          result.is_check = true;
          objects(name, [&] { result.checks.push_back(check()); });
          break;
      }
    });
    depth_++;
  }

  JsonReader json_;
  int depth_;
};

}  // namespace

Document parse(std::string_view text, int depth) {
  Document document;
  Parser(text, document, depth).run(document.root);
  return document;
}

}  // namespace migrator::message
