// test/json/cases through the parser: each value as that of a member that messages do not know, and each simple one as an
// apiValue as well; each document as it stands.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "message/parse.hpp"

using namespace migrator;

namespace {

struct Case {
  std::string kind, expected, text;
};

std::string bytes(const std::string &text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    result += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
    i += 2;
  }
  return result;
}

std::vector<Case> cases() {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path() / "../json/cases");
  std::vector<Case> result;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::size_t const first = line.find('\t'), second = line.find('\t', first + 1);
    result.push_back({line.substr(0, first), line.substr(first + 1, second - first - 1), bytes(line.substr(second + 1))});
  }
  return result;
}

// "ok", or the SQLSTATE. What is quoted in the message is not the document's.
std::string verdict(const std::string &text) {
  try {
    message::parse(text, 100);
    return "ok";
  } catch (const Error &error) {
    EXPECT_FALSE(error.message().empty());
    return error.sqlstate();
  }
}

}  // namespace

TEST(Json, EveryCase) {
  std::vector<Case> const all = cases();
  ASSERT_GT(all.size(), 400u);
  for (const Case &one : all) {
    if (one.kind == "document") {
      EXPECT_EQ(verdict(one.text), one.expected) << one.text;
      continue;
    }
    EXPECT_EQ(verdict("{\"x\":" + one.text + "}"), one.expected) << one.text;
    EXPECT_EQ(verdict("{\"x\":[" + one.text + ",1]}"), one.expected) << one.text;
    bool const is_simple = one.text.find_first_of("[{") == std::string::npos;
    if (is_simple || one.expected != "ok") {
      std::string const as_value = verdict(R"({"fields":[{"code":"f","apiValue":)" + one.text + "}]}");
      // What is refused may be refused for being no simple value first.
      if (is_simple) EXPECT_EQ(as_value, one.expected) << one.text;
      else EXPECT_NE(as_value, "ok") << one.text;
    }
  }
}

// What a good value is good for does not depend on what stands around it: cut anywhere, no document is a message.
TEST(Json, NoCaseIsGoodWhenItIsCut) {
  for (const Case &one : cases()) {
    if (one.expected != "ok" || one.kind != "value") continue;
    std::string const document = "{\"x\":" + one.text + "}";
    for (std::size_t length = 0; length < document.size(); length++) EXPECT_NE(verdict(document.substr(0, length)), "ok") << document.substr(0, length);
  }
}
