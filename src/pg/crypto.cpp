#include "pg/prelude.hpp"

#include "base/error.hpp"
#include "pg/crypto.hpp"
#include "pg/guard.hpp"

extern "C" {
#include "common/cryptohash.h"
#include "common/sha2.h"
}

namespace migrator::pg {

void strong_random(std::span<unsigned char> bytes) {
  if (!pg_strong_random(bytes.data(), bytes.size()))
    throw migrator::Error(sqlstate::internal, "the server has no random numbers");
}

std::string sha256(std::string_view data) {
  struct Digest {
    unsigned char bytes[PG_SHA256_DIGEST_LENGTH];
  };
  Digest const digest = call([&] {
    Digest result;
    pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
    if (context == nullptr || pg_cryptohash_init(context) < 0 ||
        pg_cryptohash_update(context, reinterpret_cast<const unsigned char *>(data.data()), data.size()) < 0 ||
        pg_cryptohash_final(context, result.bytes, sizeof result.bytes) < 0)
      elog(ERROR, "could not compute SHA-256");
    pg_cryptohash_free(context);
    return result;
  });
  static constexpr char k_hex[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : digest.bytes) {
    text += k_hex[byte >> 4];
    text += k_hex[byte & 15];
  }
  return text;
}

}  // namespace migrator::pg
