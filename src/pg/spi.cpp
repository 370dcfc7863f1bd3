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

namespace {

// Text parameters as SPI takes them.
class Parameters {
public:
  explicit Parameters(const std::vector<Text> &parameters)
      : types_(parameters.size() + 1, TEXTOID), values_(parameters.size() + 1, 0), nulls_(parameters.size() + 1, ' '),
        sources_(parameters.size() + 1) {
    for (std::size_t i = 0; i < parameters.size(); i++) {
      if (!parameters[i]) nulls_[i] = 'n';
      else sources_[i] = {parameters[i]->data(), parameters[i]->size()};
    }
  }
  int count() const noexcept { return static_cast<int>(sources_.size()) - 1; }
  Oid *types() noexcept { return types_.data(); }
  const char *nulls() const noexcept { return nulls_.data(); }
  // Inside call(): copies the texts into PostgreSQL's memory.
  ::Datum *values() {
    for (int i = 0; i < count(); i++)
      if (nulls_[static_cast<std::size_t>(i)] == ' ') {
        Source const &source = sources_[static_cast<std::size_t>(i)];
        if (source.size > MaxAllocSize - VARHDRSZ)
          ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("a parameter is longer than 1 GB")));
        values_[static_cast<std::size_t>(i)] =
            PointerGetDatum(cstring_to_text_with_len(source.data, static_cast<int>(source.size)));
      }
    return values_.data();
  }

private:
  struct Source {
    const char *data;
    std::size_t size;
  };
  std::vector<Oid> types_;
  std::vector<::Datum> values_;
  std::string nulls_;
  std::vector<Source> sources_;
};

struct Done {
  SPITupleTable *table;
  std::uint64_t processed;
};

// Inside call().
Done done(int code) {
  if (code < 0) elog(ERROR, "SPI: %s", SPI_result_code_string(code));
  return {SPI_tuptable, SPI_processed};
}

Result collect(const Done &done) {
  Result result;
  result.processed = done.processed;
  if (done.table == nullptr) return result;
  int const columns = done.table->tupdesc->natts;
  result.rows.reserve(done.table->numvals);
  for (std::uint64_t row = 0; row < done.table->numvals; row++) {
    std::vector<Text> &target = result.rows.emplace_back();
    target.reserve(static_cast<std::size_t>(columns));
    for (int column = 1; column <= columns; column++) {
      char *value = call([&] { return SPI_getvalue(done.table->vals[row], done.table->tupdesc, column); });
      if (value != nullptr) target.emplace_back(value);
      else target.emplace_back(std::nullopt);
      if (value != nullptr) pfree(value);
    }
  }
  call([&] { SPI_freetuptable(done.table); });
  return result;
}

}  // namespace

Result execute(const std::string &sql, const std::vector<Text> &parameters) {
  Parameters bound(parameters);
  const char *text = sql.c_str();
  return collect(call([&] {
    return done(SPI_execute_with_args(text, bound.count(), bound.types(), bound.values(), bound.nulls(), false, 0));
  }));
}

IndexScans::IndexScans() : exceptions_(std::uncaught_exceptions()) {
  level_ = call([] {
    int const level = NewGUCNestLevel();
    // What is disabled looks so dear where there is no other way that it would be compiled each time.
    for (const char *name : {"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"})
      (void)set_config_option(name, "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    return level;
  });
}

IndexScans::~IndexScans() {
  if (std::uncaught_exceptions() == exceptions_) (void)runs([&] { AtEOXact_GUC(true, level_); });
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
