// Every cell of the permission table in docs/operations.md: the action, the grant operation, and
// whether another account's keys are worked on.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include <functional>

#include "service_fixture.h"

namespace keyhold::api {
namespace {

using namespace test;

class PermissionTable : public ServiceTest {
 protected:
  static constexpr std::string_view kUser = "user/somebody";

  static std::string arn_of(std::string_view account, std::string_view name) {
    return "arn:aws:iam::" + std::string(account) + ":" + std::string(name);
  }
  static std::string policy(std::string_view element, const std::vector<std::string>& actions) {
    std::string list;
    for (const auto& action : actions) list += (list.empty() ? "\"" : ",\"") + action + "\"";
    return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",")" + std::string(element) +
           R"(":[)" + list + R"(],"Resource":"*"}]})";
  }

  /// A key with everything that an operation needs, and a request for it.
  struct Prepared {
    std::string key_id;
    std::string body;
  };
  static Prepared prepare(const Operation& operation) {
    Prepared made;
    made.key_id = new_key_for(operation);
    succeed("CreateAlias", R"({"AliasName":"alias/on-)" + made.key_id + R"(","TargetKeyId":")" +
                               made.key_id + "\"}");
    const std::string grant =
        new_grant(made.key_id, arn_of(kAccount, "user/test"), R"("DescribeKey")");
    made.body = sample_body(operation, made.key_id, grant);
    // A dry run of CancelKeyDeletion's kind is not needed: authorization comes before the state.
    return made;
  }
  /// The same request, naming the key by its ARN.
  static std::string by_arn(const Prepared& made) {
    std::string body = made.body;
    const std::string id = "\"" + made.key_id + "\"";
    for (auto at = body.find(id); at != std::string::npos; at = body.find(id, at + 1)) {
      body.replace(at, id.size(), "\"" + arn(made.key_id) + "\"");
    }
    return body;
  }

  /// Whether a grant on a key of that usage may have the word (symmetric keys, where there are
  /// several kinds).
  static bool is_word_of(std::string_view word, std::string_view usage) {
    static const std::map<std::string_view, std::set<std::string_view>> kWords = {
        {"SIGN_VERIFY", {"Sign", "Verify", "GetPublicKey"}},
        {"GENERATE_VERIFY_MAC", {"GenerateMac", "VerifyMac"}},
        {"KEY_AGREEMENT", {"DeriveSharedSecret", "GetPublicKey"}}};
    if (word == "CreateGrant" || word == "RetireGrant" || word == "DescribeKey") return true;
    if (const auto at = kWords.find(usage); at != kWords.end()) return at->second.contains(word);
    bool of_others = false;
    for (const auto& [other, words] : kWords) of_others = of_others || words.contains(word);
    return !of_others;
  }

  static std::vector<std::string> actions_of(const Operation& operation) {
    std::vector<std::string> actions;
    if (!operation.account_action.empty()) actions.emplace_back(operation.account_action);
    for (const KeyUse& use : operation.keys) {
      if (!use.action.empty()) actions.emplace_back(use.action);
    }
    return actions;
  }

  static Reply call_as(iam::Actor actor, std::string_view operation, std::string body) {
    return Client(service(), std::move(actor)).call(operation, std::move(body));
  }
  static bool is_denied(const Reply& reply) {
    return reply.error_code() == "AccessDeniedException";
  }
};

TEST_F(PermissionTable, EachActionIsAskedForAndNoOther) {
  for (const Operation* operation : operations()) {
    SCOPED_TRACE(operation->name);
    if (operation->name == "RetireGrant") continue;  // no policy is enough: see Grants
    const Prepared made = prepare(*operation);
    const auto actions = actions_of(*operation);
    ASSERT_FALSE(actions.empty());
    for (const std::string& action : actions) {
      const Reply refused = call_as(make_actor(kAccount, kUser, policy("NotAction", {action})),
                                    operation->name, made.body);
      EXPECT_TRUE(is_denied(refused)) << action << " was not asked for: " << refused.body;
      // A caller that names no key is told nothing of the one in its ciphertext.
      if (refused.error_message().starts_with("The ciphertext refers")) continue;
      EXPECT_NE(refused.error_message().find("is not authorized to perform: " + action + " "),
                std::string::npos)
          << refused.error_message();
      EXPECT_TRUE(refused.error_message().ends_with("because no identity-based policy allows the " +
                                                    action + " action"))
          << refused.error_message();
    }
    const Reply allowed =
        call_as(make_actor(kAccount, kUser, policy("Action", actions)), operation->name, made.body);
    EXPECT_FALSE(is_denied(allowed)) << allowed.body;
  }
}

TEST_F(PermissionTable, AGrantLetsItsGranteeDoWhatItSaysAndNothingElse) {
  for (const Operation* operation : operations()) {
    for (const KeyUse& use : operation->keys) {
      SCOPED_TRACE(std::string(operation->name) + " " + std::string(use.member));
      const Prepared made = prepare(*operation);
      const iam::Actor grantee = make_actor(kAccount, kUser, "");
      const auto attempt = [&] { return call_as(grantee, operation->name, made.body); };
      const std::string grantee_arn = arn_of(kAccount, kUser);
      std::string others;
      std::string own;
      const std::string usage =
          succeed("DescribeKey", with_key(made.key_id)).text("KeyMetadata.KeyUsage");
      for (const std::string_view word : kGrantOperationWords) {
        if (!is_word_of(word, usage)) continue;
        bool meant = false;
        for (const KeyUse& one : operation->keys) meant = meant || one.grant_operation == word;
        std::string& list = meant ? own : others;
        list += (list.empty() ? "\"" : ",\"") + std::string(word) + "\"";
      }
      // A grant that may be retired by its grantee is another thing: see Grants.
      if (operation->name == "RetireGrant") continue;
      new_grant(made.key_id, grantee_arn, others);
      EXPECT_TRUE(is_denied(attempt())) << "allowed by a grant of " << others;
      if (use.grant_operation.empty()) continue;
      if (own == R"("CreateGrant")") own += R"(,"DescribeKey")";
      new_grant(made.key_id, grantee_arn, own);
      const Reply allowed = attempt();
      EXPECT_FALSE(is_denied(allowed)) << allowed.body;
    }
  }
}

TEST_F(PermissionTable, KeysOfOtherAccountsAreWorkedOnWhereItSaysSo) {
  constexpr std::string_view kOther = "444455556666";
  const std::string open =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["111122223333",)"
      R"("444455556666"]},"Action":"kms:*","Resource":"*"}]})";
  for (const Operation* operation : operations()) {
    if (operation->keys.size() == 0 || operation->name == "RetireGrant") continue;
    if (operation->keys[0].member == "AliasName") continue;  // an alias is always one's own
    SCOPED_TRACE(operation->name);
    const Prepared made = prepare(*operation);
    succeed("PutKeyPolicy", with_key(made.key_id, R"("Policy":)" + json_string(open)));
    const Reply reply = call_as(make_actor(kOther, kUser), operation->name, by_arn(made));
    const bool expected = works_across_accounts(operation->keys[0]);
    EXPECT_EQ(!is_denied(reply), expected) << reply.body;
    if (!expected) {
      EXPECT_NE(reply.error_message().find(
                    " on this resource because the resource does not exist in this Region, no "
                    "resource-based policies allow access"),
                std::string::npos);
    }
    // Without the other account's own consent nothing works.
    EXPECT_TRUE(is_denied(call_as(make_actor(kOther, kUser, ""), operation->name, by_arn(made))));
  }
}

}  // namespace
}  // namespace keyhold::api
