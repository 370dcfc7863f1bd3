#include <gtest/gtest.h>

#include <set>
#include <string>

#include "ddl/naming.hpp"

using namespace migrator::ddl;
using std::string;

namespace {

string repeat(const string &text, int times) {
  string all;
  while (times-- > 0) all += text;
  return all;
}

bool ends_between_characters(const string &text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    i += lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (i > text.size()) return false;
  }
  return true;
}

}  // namespace

TEST(Naming, PlainCodesStayAsTheyAre) {
  const Name name = name_of("Client_dep_colvir_ID");
  EXPECT_EQ(name.real, "client_dep_colvir_id");
  EXPECT_EQ(name.printed, "Client_dep_colvir_ID");
  EXPECT_EQ(name_of("_x9").printed, "_x9");
}

TEST(Naming, WhatIsNotPlainIsQuotedInItsFoldedForm) {
  EXPECT_EQ(name_of("Order").printed, "\"order\"");
  EXPECT_EQ(name_of("USER").real, "user");
  EXPECT_EQ(name_of("9Lives").printed, "\"9lives\"");
  EXPECT_EQ(name_of("A$").printed, "\"a$\"");
  EXPECT_EQ(name_of("Two Words").printed, "\"two words\"");
  EXPECT_EQ(name_of("x\"; drop table y; --").printed, "\"x\"\"; drop table y; --\"");
  EXPECT_EQ(name_of("").printed, "\"\"");
}

TEST(Naming, OnlyAsciiFolds) {
  EXPECT_EQ(name_of("Имя_X").real, "Имя_x");
  EXPECT_EQ(name_of("Имя_X").printed, "\"Имя_x\"");
}

TEST(Naming, WordsThatNeedNoQuotes) {
  for (const char *word : {"Index", "Name", "Type", "Values", "Time", "Between", "Interval"})
    EXPECT_EQ(name_of(word).printed, word);
}

TEST(Naming, LongNamesAreCutAndStayApart) {
  const string stem(63, 'a');
  EXPECT_EQ(name_of(stem).real, stem);
  const Name b = name_of(stem + 'B'), c = name_of(stem + 'C');
  EXPECT_EQ(b.real.size(), 63u);
  EXPECT_NE(b.real, c.real);
  EXPECT_EQ(b.printed.substr(0, 46), string(46, 'a'));
  EXPECT_EQ(name_of(stem + 'b').real, b.real);
  // Written into databases: the hash never changes.
  EXPECT_EQ(name_of(string(64, 'a')).real, string(46, 'a') + "_db007849f35ebbe5");
}

TEST(Naming, LongNamesAreCutBetweenCharacters) {
  for (const char *character : {"я", "漢", "😀"})
    for (int shift = 0; shift < 4; ++shift) {
      const string real = name_of(string(shift, 'x') + repeat(character, 40)).real;
      EXPECT_LE(real.size(), 63u);
      EXPECT_GE(real.size(), 60u);
      EXPECT_TRUE(ends_between_characters(real)) << real;
    }
}

TEST(Naming, CompanionsAreNamedAsTheServerDoes) {
  EXPECT_EQ(companion_name("in_a", "", "pkey"), "in_a_pkey");
  EXPECT_EQ(companion_name("in_a", "in_id", "idx"), "in_a_in_id_idx");
  const string table(63, 't');
  EXPECT_EQ(companion_name(table, "", "pkey"), string(58, 't') + "_pkey");
  EXPECT_EQ(companion_name(table, "id", "seq"), string(56, 't') + "_id_seq");
  EXPECT_EQ(companion_name(repeat("я", 31), "", "pkey"), repeat("я", 29) + "_pkey");
}
