#include "pg/prelude.hpp"

#include <cstring>

#include "base/error.hpp"
#include "pg/function.hpp"
#include "pg/guard.hpp"

extern "C" {
#include "catalog/pg_type_d.h"
#include "utils/array.h"
}

namespace migrator::pg {
namespace {

// What crosses from a caught exception to ereport: plain data, cut between characters.
struct Failure {
  ErrorData *pending;
  char sqlstate[6];
  char message[1024];
  char detail[2048];
  char hint[1024];
};
Failure failure;

template <std::size_t N> void keep(char (&target)[N], const char *text, std::size_t length) {
  std::size_t const fits = length < N ? length : N - 1;
  std::size_t const cut = fits == length ? fits : pg_mbcliplen(text, static_cast<int>(length), static_cast<int>(fits));
  std::memcpy(target, text, cut);
  target[cut] = '\0';
}

void keep_plain(const char *message) {
  std::strcpy(failure.sqlstate, sqlstate::internal);
  keep(failure.message, message, std::strlen(message));
}

// Runs body; what it throws is left in `failure`. True: nothing was thrown.
template <typename F> bool contained(F &&body) {
  failure.pending = nullptr;
  failure.sqlstate[0] = failure.message[0] = failure.detail[0] = failure.hint[0] = '\0';
  try {
    body();
    return true;
  } catch (Error &error) {
    failure.pending = error.release();
  } catch (const migrator::Error &error) {
    keep(failure.sqlstate, error.sqlstate().data(), error.sqlstate().size());
    keep(failure.message, error.message().data(), error.message().size());
    keep(failure.detail, error.detail_text().data(), error.detail_text().size());
    keep(failure.hint, error.hint_text().data(), error.hint_text().size());
  } catch (const std::bad_alloc &) {
    keep_plain("out of memory");
    std::strcpy(failure.sqlstate, "53200");
  } catch (const std::exception &error) {
    keep_plain(error.what());
  } catch (...) {
    keep_plain("unknown C++ exception");
  }
  return false;
}

const char *cstring_of(::Datum value) {
  return call([&] { return TextDatumGetCString(value); });
}

[[noreturn]] void raise_failure() {
  if (failure.pending != nullptr) ReThrowError(failure.pending);
  const char *code = failure.sqlstate;
  ereport(ERROR, (errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])), errmsg("%s", failure.message),
                  failure.detail[0] != '\0' ? errdetail("%s", failure.detail) : 0,
                  failure.hint[0] != '\0' ? errhint("%s", failure.hint) : 0));
  pg_unreachable();
}

}  // namespace

Datum enter(Datum (*body)(FunctionCallInfoBaseData *), FunctionCallInfoBaseData *fcinfo) {
  Datum result = 0;
  if (contained([&] { result = body(fcinfo); })) return result;
  raise_failure();
}

void enter_worker(void (*body)(Datum), Datum argument) {
  if (!contained([&] { body(argument); })) raise_failure();
}

const void *function_info() noexcept {
  static const Pg_finfo_record info = {1};
  return &info;
}

bool Arguments::is_null(int position) const noexcept { return fcinfo_->args[position].isnull; }

void Arguments::check(int position) const {
  if (is_null(position))
    throw migrator::Error(sqlstate::null_not_allowed, "argument " + std::to_string(position + 1) + " must not be null");
}

std::string Arguments::text(int position) const {
  check(position);
  struct View { const char *data; std::size_t size; };
  View const view = call([&] {
    struct varlena *value = pg_detoast_datum_packed(reinterpret_cast<struct varlena *>(fcinfo_->args[position].value));
    return View{VARDATA_ANY(value), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))};
  });
  return std::string(view.data, view.size);
}

Text Arguments::optional_text(int position) const {
  if (is_null(position)) return std::nullopt;
  return text(position);
}

std::uint32_t Arguments::oid(int position) const {
  check(position);
  return DatumGetObjectId(fcinfo_->args[position].value);
}

std::int64_t Arguments::bigint(int position) const {
  check(position);
  return DatumGetInt64(fcinfo_->args[position].value);
}

std::vector<std::string> Arguments::text_array(int position) const {
  check(position);
  struct Elements { ::Datum *values; bool *nulls; int count; };
  Elements const elements = call([&] {
    Elements result{};
    deconstruct_array(DatumGetArrayTypeP(fcinfo_->args[position].value), TEXTOID, -1, false, TYPALIGN_INT,
                      &result.values, &result.nulls, &result.count);
    return result;
  });
  std::vector<std::string> result;
  for (int i = 0; i < elements.count; i++) {
    if (elements.nulls[i]) throw migrator::Error(sqlstate::null_not_allowed, "an array element must not be null");
    const char *data = cstring_of(elements.values[i]);
    result.emplace_back(data);
  }
  return result;
}

Place option_place(std::uint32_t catalog) noexcept {
  return catalog == ForeignServerRelationId ? Place::server
         : catalog == UserMappingRelationId ? Place::user_mapping
                                            : Place::other;
}

Datum return_text(std::string_view value) {
  return call([&] { return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size()))); });
}

Datum return_void() noexcept { return 0; }

Rows::Rows(FunctionCallInfoBaseData *fcinfo) {
  ReturnSetInfo *info = call([&] {
    InitMaterializedSRF(fcinfo, 0);
    return reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  });
  state_ = call([&] {
    MemoryContext const old = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
    AttInMetadata *state = TupleDescGetAttInMetadata(info->setDesc);
    MemoryContextSwitchTo(old);
    return state;
  });
  store_ = info->setResult;
  columns_ = info->setDesc->natts;
}

void Rows::add(const std::vector<Text> &values) {
  std::vector<char *> pointers(static_cast<std::size_t>(columns_), nullptr);
  for (std::size_t i = 0; i < pointers.size() && i < values.size(); i++)
    if (values[i]) pointers[i] = const_cast<char *>(values[i]->c_str());
  char **data = pointers.data();
  call([&] {
    HeapTuple const tuple = BuildTupleFromCStrings(static_cast<AttInMetadata *>(state_), data);
    tuplestore_puttuple(static_cast<Tuplestorestate *>(store_), tuple);
    heap_freetuple(tuple);
  });
}

}  // namespace migrator::pg
