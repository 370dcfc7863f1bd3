#include "pg/prelude.hpp"

#include "base/error.hpp"
#include "pg/guard.hpp"
#include "pg/spi.hpp"

namespace migrator::pg {

Spi::Spi() : exceptions_(std::uncaught_exceptions()) {
  call([] {
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
  });
}

Spi::~Spi() {
  if (std::uncaught_exceptions() == exceptions_) (void)runs([] { SPI_finish(); });
}

std::int64_t Result::bigint(std::size_t column) const {
  std::string const value = text(column);
  return value.empty() ? 0 : std::stoll(value);
}

Result execute(const std::string &sql, const std::vector<Text> &parameters) {
  std::size_t const count = parameters.size();
  std::vector<Oid> types(count + 1, TEXTOID);
  std::vector<::Datum> values(count + 1, 0);
  std::string nulls(count + 1, ' ');
  struct Values {
    const char *data;
    std::size_t size;
  };
  std::vector<Values> sources(count + 1);
  for (std::size_t i = 0; i < count; i++) {
    if (!parameters[i]) nulls[i] = 'n';
    else sources[i] = {parameters[i]->data(), parameters[i]->size()};
  }
  const char *text = sql.c_str();
  Oid *type_data = types.data();
  ::Datum *value_data = values.data();
  const char *null_data = nulls.data();
  const Values *source_data = sources.data();
  struct Done {
    SPITupleTable *table;
    std::uint64_t processed;
  };
  Done const done = call([&] {
    for (std::size_t i = 0; i < count; i++)
      if (null_data[i] == ' ')
        value_data[i] =
            PointerGetDatum(cstring_to_text_with_len(source_data[i].data, static_cast<int>(source_data[i].size)));
    int const code =
        SPI_execute_with_args(text, static_cast<int>(count), type_data, value_data, null_data, false, 0);
    if (code < 0) elog(ERROR, "SPI_execute_with_args: %s", SPI_result_code_string(code));
    return Done{SPI_tuptable, SPI_processed};
  });
  Result result;
  result.processed = done.processed;
  if (done.table == nullptr) return result;
  int const columns = done.table->tupdesc->natts;
  result.rows.reserve(done.table->numvals);
  for (std::uint64_t row = 0; row < done.table->numvals; row++) {
    std::vector<Text> &target = result.rows.emplace_back();
    for (int column = 1; column <= columns; column++) {
      const char *value = call([&] { return SPI_getvalue(done.table->vals[row], done.table->tupdesc, column); });
      if (value != nullptr) target.emplace_back(value);
      else target.emplace_back(std::nullopt);
    }
  }
  call([&] { SPI_freetuptable(done.table); });
  return result;
}

std::string quote_identifier(const std::string &name) {
  return call([&] { return ::quote_identifier(name.c_str()); });
}

std::string quote_literal(const std::string &text) {
  return call([&] { return quote_literal_cstr(text.c_str()); });
}

std::string array_literal(const std::vector<std::string> &items) {
  std::string result = "{";
  for (const std::string &item : items) {
    if (result.size() > 1) result += ',';
    result += '"';
    for (char c : item) {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
    result += '"';
  }
  return result + "}";
}

AsRole::AsRole(std::uint32_t role) {
  GetUserIdAndSecContext(&saved_role_, &saved_context_);
  SetUserIdAndSecContext(role, saved_context_ | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

AsRole::~AsRole() { SetUserIdAndSecContext(saved_role_, saved_context_); }

}  // namespace migrator::pg
