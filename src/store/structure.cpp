#include "store/structure.hpp"

#include "base/error.hpp"
#include "store/sql.hpp"

namespace migrator::store {
namespace {

Type type_of(std::string_view name) {
  static const std::map<std::string, Type, std::less<>> types = {
      {"text", Type::text}, {"text_block", Type::text_block}, {"choice", Type::choice},
      {"date", Type::date}, {"flag", Type::flag},             {"number", Type::number},
      {"file", Type::file}, {"bo", Type::bo},                 {"co", Type::co}};
  auto const found = types.find(name);
  if (found == types.end()) throw Error(sqlstate::internal, "unknown type of field: " + std::string(name));
  return found->second;
}

}  // namespace

std::unique_ptr<const Structure> Structure::load(const std::string &company) {
  auto result = std::make_unique<Structure>();
  for (const auto &row : run("select code, is_system::text from migrator.bo where company = $1", company, {})) {
    Bo &bo = result->bos_[std::string(*row[0])];
    bo.code = *row[0];
    bo.is_system = *row[1] == "true";
  }
  // Every company has its system BOs.
  if (result->bos_.empty())
    throw Error(sqlstate::undefined_object, "company \"" + company + "\" does not exist").hint("See migrator.company.");
  for (const auto &row : run("select co, bo from migrator.co_member where company = $1", company, {})) {
    Co &co = result->cos_[std::string(*row[0])];
    co.code = *row[0];
    co.members.push_back(&result->bo(*row[1]));
  }
  for (const auto &row : run("select co, co_field, bo, field from migrator.co_field_map where company = $1", company, {}))
    result->cos_[std::string(*row[0])].fields[{std::string(*row[1]), &result->bo(*row[2])}] = *row[3];
  for (const auto &row : run("select bo, code, type, is_unique::text, is_system::text, target_bo, target_co "
                             "from migrator.field where company = $1 order by bo, position, code",
                             company, {})) {
    Bo &bo = result->bos_.at(std::string(*row[0]));
    Field &field = bo.fields[std::string(*row[1])];
    field.code = *row[1];
    field.type = type_of(*row[2]);
    field.is_unique = *row[3] == "true" && !field.is_link();
    field.is_system = *row[4] == "true";
    if (row[5]) field.target_bo = &result->bo(*row[5]);
    if (row[6]) field.target_co = &result->cos_[std::string(*row[6])];
    if (field.is_unique) bo.unique_fields.push_back(&field);
  }
  return result;
}

const Bo *Structure::find(std::string_view code) const noexcept {
  auto const found = bos_.find(code);
  return found == bos_.end() ? nullptr : &found->second;
}

const Bo &Structure::bo(std::string_view code) const {
  const Bo *found = find(code);
  if (found == nullptr)
    throw Error(sqlstate::undefined_object, "BO \"" + std::string(code) + "\" does not exist").hint("See migrator.bo.");
  return *found;
}

const Field &Bo::field(std::string_view field_code) const {
  auto const found = fields.find(field_code);
  if (found == fields.end())
    throw Error(sqlstate::undefined_object, "field \"" + std::string(field_code) + "\" of BO \"" + code + "\" does not exist")
        .hint("See migrator.field.");
  return found->second;
}

}  // namespace migrator::store
