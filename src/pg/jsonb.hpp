#pragma once
// Objects of strings as PostgreSQL keeps a jsonb, written and read without their text.

#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace migrator::pg {

// Code and value, in UTF-8.
using Member = std::pair<std::string_view, std::string_view>;

// The members of an object in the order of jsonb: the shorter key first, then byte by byte. jsonb: what follows the
// header of the value, aligned to 4 bytes. converted: keeps texts where the database's encoding is another one than UTF-8.
// False: it is no object of strings.
bool json_members(std::string_view jsonb, std::vector<Member> &out, std::list<std::string> &converted);

// The same for an object of these members, in that order as well, appended to out. Throws Error 54000 beyond what a jsonb can hold.
void append_json(std::string &out, const std::vector<Member> &members);

}  // namespace migrator::pg
