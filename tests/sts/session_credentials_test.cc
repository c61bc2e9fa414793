#include "sts/session_credentials.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "iam/digest.h"

namespace keyhold::sts {
namespace {

constexpr TimePoint kNow{std::chrono::seconds(1'700'000'000)};

/// Authentic and not secret: these tests are about what a token is good for. It counts, so that a
/// test sees what was opened.
class PlainSealer final : public TokenSealer {
 public:
  std::array<std::uint8_t, 8> key_id() const override { return {1, 2, 3, 4, 5, 6, 7, 8}; }
  Result<Bytes> seal(ByteView plaintext, ByteView aad) override {
    const iam::Sha256 tag = tag_of(plaintext, aad);
    Bytes sealed(tag.begin(), tag.end());
    append(sealed, plaintext);
    return sealed;
  }
  Result<Secret> open(ByteView sealed, ByteView aad) override {
    ++opened;
    if (sealed.size() < iam::kSha256Size) return Error(ErrorCode::kKmsInternal);
    const ByteView plaintext = sealed.subspan(iam::kSha256Size);
    if (!equal_in_constant_time(sealed.first(iam::kSha256Size), tag_of(plaintext, aad))) {
      return Error(ErrorCode::kKmsInternal);
    }
    return Secret(plaintext);
  }

  int opened = 0;

 private:
  static iam::Sha256 tag_of(ByteView plaintext, ByteView aad) {
    iam::Sha256 tag{};
    iam::hmac_sha256(as_bytes("key"), {aad, plaintext}, tag);
    return tag;
  }
};

class SessionCredentialsTest : public ::testing::Test {
 protected:
  SessionCredentialsTest() { publish({role("app")}); }

  static iam::Identity role(std::string name, std::string path = "/") {
    iam::IdentityDefinition definition;
    definition.kind = iam::IdentityKind::kRole;
    definition.account = "111122223333";
    definition.path = std::move(path);
    definition.name = std::move(name);
    definition.trust =
        R"({"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}})";
    return *iam::compile_identity(definition, nullptr);
  }
  void publish(std::vector<iam::Identity> identities) {
    identities_.publish(std::move(identities));
  }
  IssuedCredentials issue(SessionGrant grant = {}) {
    grant.role = identities_.find(iam::IdentityKind::kRole, "111122223333", "app");
    grant.session_name = "s1";
    grant.duration = std::chrono::hours(1);
    return *sessions_.issue(grant, kNow);
  }

  PlainSealer sealer_;
  iam::IdentityDirectory identities_;
  iam::SessionRevocations revocations_;
  SystemRandom random_;
  SessionCredentials sessions_{sealer_, identities_, revocations_, random_, nullptr};
};

TEST_F(SessionCredentialsTest, HoldWhatTheyWereIssuedWith) {
  SessionGrant grant;
  grant.tags = {{"team", "blue"}};
  grant.provider = "arn:aws:iam::111122223333:oidc-provider/x";
  grant.policy = R"({"Statement":{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}})";
  const IssuedCredentials issued = issue(grant);
  const auto credential = sessions_.find(issued.access_key_id, issued.session_token);
  ASSERT_TRUE(credential);
  EXPECT_EQ(credential->secret_access_key.text(), issued.secret_access_key.text());
  EXPECT_EQ(credential->principal.arn, "arn:aws:sts::111122223333:assumed-role/app/s1");
  EXPECT_EQ(credential->principal.role_arn, "arn:aws:iam::111122223333:role/app");
  EXPECT_EQ(credential->principal.tags, grant.tags);
  EXPECT_EQ(credential->principal.provider, grant.provider);
  EXPECT_EQ(credential->session->issued_at, kNow);
  EXPECT_EQ(credential->session->expires_at, kNow + std::chrono::hours(1));
  EXPECT_EQ(credential->session->policies.size(), 1u);
}

TEST_F(SessionCredentialsTest, AreOpenedOnceAThread) {
  const IssuedCredentials issued = issue();
  const auto first = sessions_.find(issued.access_key_id, issued.session_token);
  EXPECT_EQ(sessions_.find(issued.access_key_id, issued.session_token), first);
  EXPECT_EQ(sealer_.opened, 1);
}

TEST_F(SessionCredentialsTest, OpenForTheAccessKeyTheyWereMadeForAndNoOther) {
  const IssuedCredentials issued = issue();
  const IssuedCredentials other = issue();
  EXPECT_FALSE(sessions_.find(other.access_key_id, issued.session_token));
  EXPECT_FALSE(sessions_.find("", issued.session_token));
  EXPECT_TRUE(sessions_.find(issued.access_key_id, issued.session_token));
}

TEST_F(SessionCredentialsTest, ThatWereOpenedStillBelongToOneAccessKey) {
  const IssuedCredentials issued = issue();
  ASSERT_TRUE(sessions_.find(issued.access_key_id, issued.session_token));
  EXPECT_FALSE(sessions_.find(issue().access_key_id, issued.session_token));
}

TEST_F(SessionCredentialsTest, ChangedInAnyByteAreNone) {
  const IssuedCredentials issued = issue();
  const Bytes token = *from_base64(issued.session_token);
  for (std::size_t i = 0; i < token.size(); ++i) {
    Bytes changed = token;
    changed[i] ^= 1;
    ASSERT_FALSE(sessions_.find(issued.access_key_id, to_base64(changed))) << i;
  }
  for (const std::string_view text : {"", "x", "AQIDBA==", "AQECAwQFBgcI"}) {
    EXPECT_FALSE(sessions_.find(issued.access_key_id, text));
  }
}

TEST_F(SessionCredentialsTest, EndWithARevocationOfTheRoleOrTheAccessKeyEvenWhenOpened) {
  const IssuedCredentials issued = issue();
  const auto found = [&] {
    return sessions_.find(issued.access_key_id, issued.session_token) != nullptr;
  };
  ASSERT_TRUE(found());
  for (const std::string& subject : {issued.principal.role_arn, issued.access_key_id}) {
    revocations_.publish({{subject, kNow}});
    EXPECT_TRUE(found()) << "issued at that instant, and not before it";
    revocations_.publish({{subject, kNow + milliseconds(1)}});
    EXPECT_FALSE(found());
    revocations_.publish({});
  }
}

TEST_F(SessionCredentialsTest, EndWithTheirRole) {
  const IssuedCredentials issued = issue();
  ASSERT_TRUE(sessions_.find(issued.access_key_id, issued.session_token));
  publish({});
  EXPECT_FALSE(sessions_.find(issued.access_key_id, issued.session_token));
  publish({role("app", "/elsewhere/")});
  EXPECT_FALSE(sessions_.find(issued.access_key_id, issued.session_token));
}

}  // namespace
}  // namespace keyhold::sts
