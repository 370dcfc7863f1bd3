#pragma once
// A table with the rows of another one.

#include <cstdint>
#include <string>

namespace migrator::pg {

// "create table copy as table source", with many rows in one piece of WAL where the table has nothing but rows. Names are quoted.
// Returns the number of rows. Needs a READ COMMITTED transaction; what is committed when it begins is copied.
std::uint64_t copy_table(const std::string &source, const std::string &copy);

}  // namespace migrator::pg
