#pragma once
// The one error type of our own code. It carries what PostgreSQL's clients show:
// SQLSTATE, message, detail and hint. The boundary (pg/function.hpp) turns it into ereport.

#include <exception>
#include <string>
#include <utility>

namespace migrator {

class Error final : public std::exception {
public:
  // sqlstate: five characters, e.g. sqlstate::invalid_parameter.
  Error(const char *sqlstate, std::string message) : sqlstate_(sqlstate), message_(std::move(message)) {}

  Error &&detail(std::string text) && { detail_ = std::move(text); return std::move(*this); }
  Error &&hint(std::string text) && { hint_ = std::move(text); return std::move(*this); }

  const char *what() const noexcept override { return message_.c_str(); }
  const std::string &sqlstate() const noexcept { return sqlstate_; }
  const std::string &message() const noexcept { return message_; }
  const std::string &detail_text() const noexcept { return detail_; }
  const std::string &hint_text() const noexcept { return hint_; }

private:
  std::string sqlstate_;
  std::string message_;
  std::string detail_;
  std::string hint_;
};

// The SQLSTATEs we raise ourselves (PostgreSQL, appendix A).
namespace sqlstate {
inline constexpr const char *feature_not_supported = "0A000";
inline constexpr const char *connection_failure = "08006";
inline constexpr const char *invalid_text = "22P02";
inline constexpr const char *invalid_json = "22032";
inline constexpr const char *invalid_parameter = "22023";
inline constexpr const char *not_representable = "22021";
inline constexpr const char *untranslatable = "22P05";
inline constexpr const char *too_long = "22001";
inline constexpr const char *numeric_out_of_range = "22003";
inline constexpr const char *datetime_out_of_range = "22008";
inline constexpr const char *null_not_allowed = "22004";
inline constexpr const char *no_data_found = "P0002";
inline constexpr const char *not_null_violation = "23502";
inline constexpr const char *unique_violation = "23505";
inline constexpr const char *serialization_failure = "40001";
inline constexpr const char *insufficient_privilege = "42501";
inline constexpr const char *duplicate_object = "42710";
inline constexpr const char *duplicate_column = "42701";
inline constexpr const char *duplicate_table = "42P07";
inline constexpr const char *undefined_object = "42704";
inline constexpr const char *wrong_object_type = "42809";
inline constexpr const char *program_limit = "54000";
inline constexpr const char *not_in_prerequisite_state = "55000";
inline constexpr const char *io_error = "58030";
inline constexpr const char *fdw_invalid_option_name = "HV00D";
inline constexpr const char *fdw_invalid_attribute_value = "HV024";
inline constexpr const char *internal = "XX000";
}  // namespace sqlstate

}  // namespace migrator
