#pragma once
// Integers as bytes, and the one way in which a frame is refused. For the files of this folder.

#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.hpp"

#include "base/no_postgres.hpp"

namespace migrator::wire {

[[noreturn]] inline void malformed(std::string text) {
  throw Error(sqlstate::internal, "malformed frame: " + std::move(text));
}

template <typename T> concept Number = std::unsigned_integral<T> || std::signed_integral<T>;

// Written byte by byte so that it holds on every platform; the compiler makes one store of it.
template <Number T> void put(char *at, T value) noexcept {
  auto rest = static_cast<std::make_unsigned_t<T>>(value);
  for (std::size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<char>(static_cast<unsigned char>(rest >> (8 * i)));
}

template <Number T> T get(const char *at) noexcept {
  std::make_unsigned_t<T> value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<std::make_unsigned_t<T>>(static_cast<std::make_unsigned_t<T>>(static_cast<unsigned char>(at[i])) << (8 * i));
  return static_cast<T>(value);
}

}  // namespace migrator::wire
