// The evaluator held against a small model of the same rules, written apart from it, over random
// policies and requests. The model works on what was drawn, never on JSON.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/iam/policy_fixture.h"

namespace keyhold::iam {
namespace {

using namespace test;

// Small worlds, so that things meet often.
const std::vector<std::string> kActions = {"app:Read", "app:Write", "app:List", "web:Read"};
const std::vector<std::string> kActionPatterns = {"*",        "app:*",     "app:Read", "APP:WRITE",
                                                  "app:?ead", "app:*i*e*", "web:*",    "app:Lis"};
const std::vector<std::string> kResources = {"arn:aws:app:r:1:key/1", "arn:aws:app:r:1:key/2",
                                             "arn:aws:app:s:1:key/alice"};
const std::vector<std::string> kResourcePatterns = {"*", "arn:aws:app:r:1:key/1",
                                                    "arn:aws:app:?:1:key/*", "arn:aws:app:s:*:*",
                                                    "arn:aws:app:s:1:key/${aws:username}"};
const std::vector<std::string> kWords = {"a", "b", "ab", "7"};
const std::vector<std::string> kOperators = {"StringEquals",
                                             "StringNotEquals",
                                             "StringLike",
                                             "StringNotLike",
                                             "NumericLessThan",
                                             "NumericNotEquals",
                                             "Null",
                                             "StringEqualsIfExists",
                                             "NumericLessThanIfExists",
                                             "ForAllValues:StringEquals",
                                             "ForAnyValue:StringEquals",
                                             "ForAllValues:StringNotEquals",
                                             "ForAnyValue:StringNotLike"};
const std::vector<std::string> kKeys = {"app:one", "app:many", "app:strange"};

struct DrawnCondition {
  std::string name;
  std::string key;
  std::vector<std::string> values;
};

struct DrawnStatement {
  bool allow = true;
  bool not_principal = false;
  std::vector<std::string> principals;
  bool not_action = false;
  std::vector<std::string> actions;
  bool not_resource = false;
  std::vector<std::string> resources;
  std::vector<DrawnCondition> conditions;
};

using DrawnDocument = std::vector<DrawnStatement>;

struct World {
  std::optional<DrawnDocument> resource;
  std::vector<DrawnDocument> identity;
  std::optional<DrawnDocument> boundary;
  std::optional<DrawnDocument> session;
  Asked asked;
};

class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : engine_(seed) {}

  std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(engine_);
  }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  const std::string& of(const std::vector<std::string>& words) {
    return words[below(words.size())];
  }
  std::vector<std::string> some(const std::vector<std::string>& words) {
    std::vector<std::string> drawn(1 + below(2));
    for (std::string& word : drawn) word = of(words);
    return drawn;
  }

 private:
  std::mt19937_64 engine_;
};

const std::vector<Principal>& principals() {
  static const std::vector<Principal> all = {user("alice"),
                                             user("bob"),
                                             user("alice", kOtherAccountId),
                                             root(),
                                             root(kOtherAccountId),
                                             session_of("reader", "s1"),
                                             session_of("reader", "s2"),
                                             session_of("writer", "s1"),
                                             session_of("reader", "s1", kOtherAccountId)};
  return all;
}

std::vector<std::string> principal_patterns() {
  std::vector<std::string> all = {"*", std::string(kAccountId), std::string(kOtherAccountId)};
  for (const Principal& principal : principals()) {
    all.push_back(principal.arn);
    if (!principal.role_arn.empty()) all.push_back(principal.role_arn);
  }
  return all;
}

DrawnDocument draw_document(Drawer& draw, DocumentKind kind) {
  static const std::vector<std::string> patterns = principal_patterns();
  DrawnDocument document(1 + draw.below(3));
  for (DrawnStatement& statement : document) {
    statement.allow = !draw.chance(4);
    statement.not_action = draw.chance(6);
    statement.actions = draw.some(kActionPatterns);
    if (kind == DocumentKind::kResourcePolicy) {
      statement.not_principal = draw.chance(6);
      statement.principals = draw.some(patterns);
      statement.resources = {"*"};
    } else {
      statement.not_resource = draw.chance(6);
      statement.resources = draw.some(kResourcePatterns);
    }
    while (draw.chance(3)) {
      DrawnCondition condition{draw.of(kOperators), draw.of(kKeys), {}};
      // Two conditions of one operator would be two members of one name.
      const bool twice =
          std::any_of(statement.conditions.begin(), statement.conditions.end(),
                      [&](const DrawnCondition& other) { return other.name == condition.name; });
      if (twice) continue;
      const bool numeric = condition.name.find("Numeric") != std::string::npos;
      if (condition.name == "Null") {
        condition.values = {draw.chance(2) ? "true" : "false"};
      } else if (numeric) {
        condition.values = draw.some({"6", "7", "8"});
      } else {
        condition.values = draw.some({"a", "b", "a*", "*"});
      }
      statement.conditions.push_back(std::move(condition));
    }
  }
  return document;
}

World draw_world(Drawer& draw) {
  World world;
  world.asked.principal = principals()[draw.below(principals().size())];
  world.asked.action = draw.of(kActions);
  world.asked.resource = draw.of(kResources);
  if (!draw.chance(3)) world.asked.keys.values["app:one"] = {draw.of(kWords)};
  if (!draw.chance(3)) {
    auto& many = world.asked.keys.values["app:many"];
    for (std::size_t i = draw.below(4); i > 0; --i) many.push_back(draw.of(kWords));
  }
  if (!draw.chance(4)) world.resource = draw_document(draw, DocumentKind::kResourcePolicy);
  for (std::size_t i = draw.below(3); i > 0; --i) {
    world.identity.push_back(draw_document(draw, DocumentKind::kIdentityPolicy));
  }
  if (draw.chance(3)) world.boundary = draw_document(draw, DocumentKind::kPermissionsBoundary);
  if (draw.chance(3)) world.session = draw_document(draw, DocumentKind::kSessionPolicy);
  return world;
}

std::string list(const std::vector<std::string>& words) {
  std::string text = "[";
  for (const std::string& word : words) text += (text.size() > 1 ? ",\"" : "\"") + word + "\"";
  return text + "]";
}

PolicyPtr written(const DrawnDocument& document, DocumentKind kind) {
  std::string statements;
  for (const DrawnStatement& s : document) {
    if (!statements.empty()) statements += ",";
    statements += std::string(R"({"Effect":")") + (s.allow ? "Allow" : "Deny") + "\"";
    if (!s.principals.empty()) {
      statements += std::string(",\"") + (s.not_principal ? "Not" : "") + R"(Principal":{"AWS":)" +
                    list(s.principals) + "}";
    }
    statements += std::string(",\"") + (s.not_action ? "Not" : "") + "Action\":" + list(s.actions);
    statements +=
        std::string(",\"") + (s.not_resource ? "Not" : "") + "Resource\":" + list(s.resources);
    statements += ",\"Condition\":{";
    for (std::size_t i = 0; i < s.conditions.size(); ++i) {
      const DrawnCondition& c = s.conditions[i];
      statements +=
          (i > 0 ? ",\"" : "\"") + c.name + "\":{\"" + c.key + "\":" + list(c.values) + "}";
    }
    statements += "}}";
  }
  // Without the service's list of keys: app:strange is one that nobody knows any more.
  auto parsed = PolicyDocument::parse(document_of(statements), kind, "p");
  EXPECT_TRUE(parsed) << statements;
  return parsed ? std::make_shared<const PolicyDocument>(std::move(*parsed)) : nullptr;
}

// ---- the model ----

bool fits(const std::string& pattern, const std::string& text, std::size_t p = 0,
          std::size_t t = 0) {
  if (p == pattern.size()) return t == text.size();
  if (pattern[p] == '*') {
    return fits(pattern, text, p + 1, t) || (t < text.size() && fits(pattern, text, p, t + 1));
  }
  return t < text.size() && (pattern[p] == '?' || pattern[p] == text[t]) &&
         fits(pattern, text, p + 1, t + 1);
}

std::string small(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(c));
  return text;
}

enum class Three { no, maybe, yes };

Three negate(Three t) { return t == Three::maybe ? t : t == Three::yes ? Three::no : Three::yes; }

struct Model {
  const World& world;

  Three value_fits(const std::string& op, const std::string& wanted,
                   const std::string& actual) const {
    if (op.starts_with("Numeric")) {
      if (actual != "7") return Three::maybe;  // the other words are no numbers
      const int bound = std::stoi(wanted);
      return (op == "NumericLessThan" ? 7 < bound : 7 == bound) ? Three::yes : Three::no;
    }
    const bool like = op.find("Like") != std::string::npos;
    return (like ? fits(wanted, actual) : wanted == actual) ? Three::yes : Three::no;
  }

  Three condition(const DrawnCondition& c) const {
    if (c.key == "app:strange") return Three::maybe;
    std::string op = c.name;
    bool all = false;
    bool any = false;
    bool if_exists = false;
    if (op.starts_with("ForAllValues:")) all = true, op = op.substr(13);
    if (op.starts_with("ForAnyValue:")) any = true, op = op.substr(12);
    if (op.ends_with("IfExists")) if_exists = true, op = op.substr(0, op.size() - 8);
    const auto found = world.asked.keys.values.find(c.key);
    const bool there = found != world.asked.keys.values.end() && !found->second.empty();
    if (op == "Null") return there == (c.values[0] == "false") ? Three::yes : Three::no;
    const bool negated = op.find("Not") != std::string::npos;
    if (!there) return if_exists || all || (negated && !any) ? Three::yes : Three::no;
    if (!all && !any && found->second.size() != 1) return Three::maybe;
    Three result = all ? Three::yes : Three::no;
    for (const std::string& actual : found->second) {
      Three one = Three::no;
      for (const std::string& wanted : c.values) {
        one = std::max(one, value_fits(op, wanted, actual));
      }
      if (negated) one = negate(one);
      result = all ? std::min(result, one) : std::max(result, one);
    }
    return result;
  }

  /// 0 not at all, 1 by account, 2 by role or by everybody, 3 by name.
  int named(const std::vector<std::string>& patterns) const {
    const Principal& who = world.asked.principal;
    int best = 0;
    for (const std::string& pattern : patterns) {
      if (pattern == "*" || (!who.role_arn.empty() && pattern == who.role_arn)) {
        best = std::max(best, 2);
      } else if (pattern == who.account || pattern == "arn:aws:iam::" + who.account + ":root") {
        best = std::max(best, 1);
      } else if (pattern == who.arn) {
        best = 3;
      }
    }
    return best;
  }

  int principal(const DrawnStatement& s) const {
    if (s.principals.empty()) return 3;
    const int best = named(s.principals);
    if (!s.not_principal) return best;
    if (s.allow) return best == 0 ? 2 : 0;
    const bool everybody =
        std::find(s.principals.begin(), s.principals.end(), "*") != s.principals.end();
    const bool is_root = world.asked.principal.type == PrincipalType::kRoot;
    return everybody || best == 3 || (is_root && best == 1) ? 0 : 2;
  }

  Three statement(const DrawnStatement& s) const {
    const bool action = std::any_of(s.actions.begin(), s.actions.end(), [&](const auto& pattern) {
      return fits(small(pattern), small(world.asked.action));
    });
    if (action == s.not_action) return Three::no;
    const bool resource =
        std::any_of(s.resources.begin(), s.resources.end(), [&](std::string pattern) {
          const auto at = pattern.find("${aws:username}");
          if (at != std::string::npos) {
            if (world.asked.principal.type != PrincipalType::kUser) return false;
            pattern.replace(at, 15, world.asked.principal.name);
          }
          return fits(pattern, world.asked.resource);
        });
    if (resource == s.not_resource) return Three::no;
    Three result = Three::yes;
    for (const DrawnCondition& c : s.conditions) result = std::min(result, condition(c));
    return result;
  }

  bool denies(const DrawnDocument& document) const {
    return std::any_of(document.begin(), document.end(), [&](const DrawnStatement& s) {
      return !s.allow && principal(s) > 0 && statement(s) != Three::no;
    });
  }

  /// How closely the document allows it, as in named().
  int allows(const DrawnDocument& document) const {
    int best = 0;
    for (const DrawnStatement& s : document) {
      if (s.allow && statement(s) == Three::yes) best = std::max(best, principal(s));
    }
    return best;
  }

  Verdict verdict() const {
    bool denied = (world.resource && denies(*world.resource)) ||
                  (world.boundary && denies(*world.boundary)) ||
                  (world.session && denies(*world.session));
    for (const DrawnDocument& document : world.identity) denied = denied || denies(document);
    if (denied) return Verdict::kExplicitDeny;

    const bool is_root = world.asked.principal.type == PrincipalType::kRoot;
    const bool own = world.asked.principal.account == world.asked.resource_account;
    const bool limits_allow = is_root || ((!world.boundary || allows(*world.boundary) > 0) &&
                                          (!world.session || allows(*world.session) > 0));
    const bool identity_allows =
        is_root || std::any_of(world.identity.begin(), world.identity.end(),
                               [&](const auto& document) { return allows(document) > 0; });
    const int by_resource = world.resource ? allows(*world.resource) : (own ? 1 : 0);
    bool allowed = false;
    if (own && by_resource == 3) {
      allowed = true;
    } else if (own && by_resource == 2) {
      allowed = limits_allow;
    } else if (by_resource > 0) {
      allowed = identity_allows && limits_allow;
    }
    return allowed ? Verdict::kAllow : Verdict::kImplicitDeny;
  }
};

TEST(EvaluationModel, AgreesOnRandomPoliciesAndRequests) {
#ifdef KEYHOLD_SANITIZED
  // The thread sanitizer, which has nothing to find in one thread.
  constexpr std::uint64_t kPairs = 10'000;
#else
  constexpr std::uint64_t kPairs = 100'000;
#endif
  std::array<std::size_t, 3> verdicts{};
  for (std::uint64_t seed = 0; seed < kPairs; ++seed) {
    Drawer draw(seed);
    const World world = draw_world(draw);
    Documents documents;
    if (world.resource)
      documents.resource = written(*world.resource, DocumentKind::kResourcePolicy);
    for (const DrawnDocument& document : world.identity) {
      documents.identity.push_back(written(document, DocumentKind::kIdentityPolicy));
    }
    if (world.boundary) {
      documents.boundary = written(*world.boundary, DocumentKind::kPermissionsBoundary);
    }
    if (world.session) {
      documents.session = {written(*world.session, DocumentKind::kSessionPolicy)};
    }
    const Verdict verdict = evaluate(documents.set(), world.asked.request()).verdict;
    ASSERT_EQ(verdict, Model{world}.verdict()) << "seed " << seed;
    ++verdicts[static_cast<std::size_t>(verdict)];
  }
  // A comparison in which one answer hardly comes would say little.
  for (const std::size_t count : verdicts) EXPECT_GT(count, kPairs / 20);
}

}  // namespace
}  // namespace keyhold::iam
