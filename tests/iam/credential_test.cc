#include "iam/credential.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace keyhold::iam {
namespace {

TEST(Credential, AccessKeyIdsHaveAwssFormAndDiffer) {
  SystemRandom random;
  std::set<std::string> seen;
  std::set<char> characters;
  for (int i = 0; i < 500; ++i) {
    const std::string id = draw_access_key_id(random);
    EXPECT_EQ(id.size(), 20u);
    EXPECT_EQ(id.substr(0, 4), "AKIA");
    EXPECT_EQ(id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), std::string::npos) << id;
    characters.insert(id.begin() + 4, id.end());
    EXPECT_TRUE(seen.insert(id).second);
  }
  EXPECT_EQ(characters.size(), 32u) << "some character is never drawn";
}

TEST(Credential, SecretsAreFortyCharactersOfTheWholeBase64Alphabet) {
  SystemRandom random;
  std::set<char> characters;
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const Secret secret = draw_secret_access_key(random);
    EXPECT_EQ(secret.size(), 40u);
    characters.insert(secret.text().begin(), secret.text().end());
    EXPECT_TRUE(seen.emplace(secret.text()).second);
  }
  EXPECT_EQ(characters.size(), 64u);
  for (const char c : characters) EXPECT_TRUE(std::isalnum(c) || c == '+' || c == '/') << c;
}

}  // namespace
}  // namespace keyhold::iam
