#include "pg/prelude.hpp"

#include <algorithm>
#include <cstring>
#include <exception>

#include "base/error.hpp"
#include "pg/guard.hpp"
#include "pg/row_cursor.hpp"

extern "C" {
#include "access/detoast.h"
#include "utils/numeric.h"
}

namespace migrator::pg {
namespace {

using Clock = std::chrono::steady_clock;
constexpr unsigned k_sample = 64;  // one row of so many is timed

// Text as UTF-8. In a database of another encoding the conversion itself raises for what has no counterpart;
// in SQL_ASCII nobody has ever checked the bytes.
void read_text(Value &value, ::Datum datum, std::size_t limit) {
  struct varlena *raw = reinterpret_cast<struct varlena *>(DatumGetPointer(datum));
  if (VARATT_IS_EXTERNAL(raw) || VARATT_IS_COMPRESSED(raw)) {
    Size const size = toast_raw_datum_size(datum) - VARHDRSZ;
    if (size > limit) {
      value.oversize = true;
      value.integer = static_cast<std::int64_t>(size);
      return;
    }
    raw = pg_detoast_datum_packed(raw);
  }
  const char *data = VARDATA_ANY(raw);
  std::size_t size = VARSIZE_ANY_EXHDR(raw);
  if (size > limit) {
    value.oversize = true;
    value.integer = static_cast<std::int64_t>(size);
    return;
  }
  value.raw = {data, size};
  int const encoding = GetDatabaseEncoding();
  if (encoding == PG_SQL_ASCII) {
    value.unencodable = !pg_verify_mbstr(PG_UTF8, data, static_cast<int>(size), true);
  } else if (encoding != PG_UTF8) {
    unsigned char *converted = nullptr;
    if (!runs([&] {
          converted = pg_do_encoding_conversion(
              reinterpret_cast<unsigned char *>(const_cast<char *>(data)), static_cast<int>(size), encoding, PG_UTF8);
        })) {
      FlushErrorState();
      value.unencodable = true;
      return;
    }
    if (reinterpret_cast<char *>(converted) != data) {
      data = reinterpret_cast<char *>(converted);
      size = std::strlen(data);
    }
  }
  value.text = {data, size};
}

}  // namespace

RowCursor::RowCursor(const std::string &sql, const std::vector<Text> &parameters, std::vector<Kind> columns,
                     std::size_t text_limit)
    : columns_(std::move(columns)), values_(columns_.size()), text_limit_(text_limit) {
  std::size_t const count = parameters.size();
  std::vector<Oid> types(count + 1, TEXTOID);
  std::vector<::Datum> values(count + 1, 0);
  std::string nulls(count + 1, ' ');
  std::vector<const char *> sources(count + 1, nullptr);
  for (std::size_t i = 0; i < count; i++) {
    if (parameters[i]) sources[i] = parameters[i]->c_str();
    else nulls[i] = 'n';
  }
  const char *text = sql.c_str();
  const char **source_data = sources.data();
  Oid *type_data = types.data();
  ::Datum *value_data = values.data();
  const char *null_data = nulls.data();
  call([&] {
    for (std::size_t i = 0; i < count; i++)
      if (source_data[i] != nullptr) value_data[i] = CStringGetTextDatum(source_data[i]);
    portal_ = SPI_cursor_open_with_args(nullptr, text, static_cast<int>(count), type_data, value_data, null_data, true, 0);
    context_ = AllocSetContextCreate(CurrentMemoryContext, "migrator row", ALLOCSET_DEFAULT_SIZES);
  });
}

RowCursor::~RowCursor() {
  // After an error the rollback closes the portal; closing it here would touch a failed transaction.
  if (std::uncaught_exceptions() > 0) return;
  if (!runs([&] {
        MemoryContextDelete(static_cast<MemoryContext>(context_));
        SPI_cursor_close(static_cast<Portal>(portal_));
      }))
    FlushErrorState();
}

struct RowCursor::Receiver {
  DestReceiver head;  // first: the executor knows only this
  RowCursor *cursor;
  bool (*take)(void *);
  void *function;
  std::exception_ptr failure;
  unsigned rows = 0;

  // Plain data in this frame: reading a row may raise.
  static bool receive(TupleTableSlot *slot, DestReceiver *self) {
    auto *receiver = reinterpret_cast<Receiver *>(self);
    CHECK_FOR_INTERRUPTS();
    receiver->cursor->read_row(slot);
    return receiver->taken();
  }
  bool taken() noexcept {
    try {
      if (++rows % k_sample != 0) return take(function);
      Clock::time_point const start = Clock::now();
      bool const more = take(function);
      cursor->sampled_ += Clock::now() - start;
      return more;
    } catch (...) {
      failure = std::current_exception();
      return false;
    }
  }
};

void RowCursor::run(bool (*take)(void *), void *function) {
  Receiver receiver{};
  receiver.head.receiveSlot = Receiver::receive;
  receiver.head.rStartup = [](DestReceiver *, int, TupleDesc) {};
  receiver.head.rShutdown = receiver.head.rDestroy = [](DestReceiver *) {};
  receiver.head.mydest = DestNone;
  receiver.cursor = this;
  receiver.take = take;
  receiver.function = function;
  Clock::time_point const start = Clock::now();
  call([&] { (void)PortalRunFetch(static_cast<Portal>(portal_), FETCH_FORWARD, FETCH_ALL, &receiver.head); });
  spent_ += Clock::now() - start;
  if (receiver.failure) std::rethrow_exception(receiver.failure);
}

std::chrono::microseconds RowCursor::reading() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::max(spent_ - k_sample * sampled_, std::chrono::nanoseconds(0)));
}

// Runs inside call(): plain data only.
void RowCursor::read_row(const void *row) {
  auto *slot = static_cast<TupleTableSlot *>(const_cast<void *>(row));
  slot_getallattrs(slot);
  MemoryContextReset(static_cast<MemoryContext>(context_));
  MemoryContext const old = MemoryContextSwitchTo(static_cast<MemoryContext>(context_));
  for (std::size_t i = 0; i < columns_.size(); i++) {
    Value &value = values_[i];
    value = Value{};
    if (slot->tts_isnull[i]) continue;
    value.null = false;
    ::Datum const datum = slot->tts_values[i];
    switch (columns_[i]) {
      case Kind::text: read_text(value, datum, text_limit_); break;
      case Kind::timestamp: value.integer = DatumGetTimestampTz(datum); break;
      case Kind::flag: value.integer = DatumGetBool(datum) ? 1 : 0; break;
      case Kind::bigint: value.integer = DatumGetInt64(datum); break;
      case Kind::xid: value.integer = DatumGetTransactionId(datum); break;
      case Kind::number: {
        const char *text = DatumGetCString(DirectFunctionCall1(numeric_out, datum));
        value.text = {text, std::strlen(text)};
        break;
      }
      case Kind::tid: value.integer = tid_number(reinterpret_cast<ItemPointer>(DatumGetPointer(datum))); break;
    }
  }
  MemoryContextSwitchTo(old);
}

std::string tid_text(std::int64_t tid) {
  return "(" + std::to_string(tid >> 16) + "," + std::to_string(tid & 0xffff) + ")";
}

Boundary::Boundary(const std::string &snapshot) {
  next_ = call([] { return U64FromFullTransactionId(ReadNextFullTransactionId()); });
  std::size_t const first = snapshot.find(':'), second = snapshot.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos)
    throw migrator::Error(sqlstate::internal, "malformed snapshot");
  xmin_ = std::stoull(snapshot.substr(0, first));
  xmax_ = std::stoull(snapshot.substr(first + 1, second - first - 1));
  for (std::size_t at = second + 1; at < snapshot.size();) {
    std::size_t const comma = std::min(snapshot.find(',', at), snapshot.size());
    running_.push_back(std::stoull(snapshot.substr(at, comma - at)));
    at = comma + 1;
  }
}

bool Boundary::includes(std::uint32_t xmin) const noexcept {
  if (!TransactionIdIsNormal(xmin)) return true;  // frozen long ago
  std::uint64_t full = (next_ & ~0xffffffffULL) | xmin;
  if (full >= next_) full = full >= (1ULL << 32) ? full - (1ULL << 32) : 0;  // the row is older than the counter's turn
  if (full < xmin_) return true;
  if (full >= xmax_) return false;
  return std::find(running_.begin(), running_.end(), full) == running_.end();
}

}  // namespace migrator::pg
