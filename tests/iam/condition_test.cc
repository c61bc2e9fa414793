#include "iam/condition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "iam/global_keys.h"
#include "tests/iam/policy_fixture.h"

namespace keyhold::iam {
namespace {

using namespace test;

using Values = std::vector<std::string>;

/// What a condition on `app:key` says of these values in a request; nullopt: the key is absent.
Truth holds(std::string_view name, const Values& wanted, const std::optional<Values>& actual,
            Asked asked = {}) {
  const auto condition =
      Condition::make(name, "app:key", wanted, {LanguageVersion::k2012, AppKeys::knows});
  EXPECT_TRUE(condition) << name;
  if (!condition) return Truth::kUnknown;
  if (actual) asked.keys.values["app:key"] = *actual;
  return condition->holds(asked.request(), DocumentKind::kIdentityPolicy);
}

bool is_refused(std::string_view name, std::string_view key, const Values& wanted) {
  const auto condition =
      Condition::make(name, key, wanted, {LanguageVersion::k2012, AppKeys::knows});
  return !condition && condition.error().code() == ErrorCode::kMalformedPolicyDocument;
}

struct OperatorCase {
  std::string_view name;
  std::string_view wanted;
  std::string_view fits;
  std::string_view fits_not;
};

// Of each operator: a value, something it holds for and something it does not hold for.
constexpr OperatorCase kCases[] = {
    {"ArnEquals", "arn:aws:iam::*:user/a", "arn:aws:iam::111122223333:user/a",
     "arn:aws:iam::111122223333:user/b"},
    {"ArnLike", "arn:aws:iam::111122223333:user/*", "arn:aws:iam::111122223333:user/a:b",
     "arn:aws:iam::444455556666:user/a"},
    {"ArnNotEquals", "arn:aws:iam::*:user/a", "arn:aws:iam::111122223333:user/b",
     "arn:aws:iam::111122223333:user/a"},
    {"ArnNotLike", "arn:aws:iam::1*:user/*", "arn:aws:iam::444455556666:user/a",
     "arn:aws:iam::111122223333:user/a"},
    {"BinaryEquals", "AAEC", "AAEC", "AAED"},
    {"Bool", "true", "TRUE", "false"},
    {"DateEquals", "2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00", "2026-03-01T12:00:01Z"},
    {"DateGreaterThan", "2026-03-01", "2026-03-01T00:00:01Z", "2026-03-01T00:00:00Z"},
    {"DateGreaterThanEquals", "1700000000", "2023-11-14T22:13:20Z", "2023-11-14T22:13:19.9Z"},
    {"DateLessThan", "2026", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"},
    {"DateLessThanEquals", "2026-02", "2026-02-01T00:00:00Z", "2026-02-01T00:00:00.001Z"},
    {"DateNotEquals", "2026-03-01", "2026-03-02", "2026-03-01"},
    {"IpAddress", "203.0.113.0/25", "203.0.113.127", "203.0.113.128"},
    {"NotIpAddress", "2001:db8::/33", "2001:db8:8000::1", "2001:db8::1"},
    {"NumericEquals", "10", "10.0", "11"},
    {"NumericGreaterThan", "10", "10.5", "10"},
    {"NumericGreaterThanEquals", "-1.5", "-1.5", "-1.6"},
    {"NumericLessThan", "10", "9", "10"},
    {"NumericLessThanEquals", "10", "10", "10.1"},
    {"NumericNotEquals", "10", "9", "10"},
    {"StringEquals", "a*", "a*", "ab"},
    {"StringEqualsIgnoreCase", "Abc", "aBC", "abd"},
    {"StringLike", "a*c?", "abbcd", "abbc"},
    {"StringNotEquals", "a", "A", "a"},
    {"StringNotEqualsIgnoreCase", "a", "b", "A"},
    {"StringNotLike", "a*", "b", "abc"},
};

TEST(Condition, EachOperatorHasACase) {
  std::vector<std::string_view> tested;
  for (const OperatorCase& c : kCases) tested.push_back(c.name);
  std::vector<std::string_view> known;
  for (const ConditionOperator& row : condition_operators()) {
    if (row.type != ValueType::kNull) known.push_back(row.name);
  }
  EXPECT_EQ(tested, known);
}

TEST(Condition, EachOperatorTellsWhatFitsFromWhatDoesNot) {
  for (const OperatorCase& c : kCases) {
    const Values wanted = {std::string(c.wanted)};
    EXPECT_EQ(holds(c.name, wanted, Values{std::string(c.fits)}), Truth::kYes) << c.name;
    EXPECT_EQ(holds(c.name, wanted, Values{std::string(c.fits_not)}), Truth::kNo) << c.name;
  }
}

TEST(Condition, AnAbsentKeyFitsNegatedOperatorsAndIfExists) {
  for (const ConditionOperator& row : condition_operators()) {
    if (row.type == ValueType::kNull) continue;
    const auto c = std::find_if(std::begin(kCases), std::end(kCases),
                                [&](const OperatorCase& test) { return test.name == row.name; });
    const Values wanted = {std::string(c->wanted)};
    const std::string name(row.name);
    const bool negated = row.negation == Negation::kNegated;
    EXPECT_EQ(holds(name, wanted, std::nullopt), truth_of(negated)) << name;
    EXPECT_EQ(holds(name + "IfExists", wanted, std::nullopt), Truth::kYes) << name;
    EXPECT_EQ(holds("ForAllValues:" + name, wanted, std::nullopt), Truth::kYes) << name;
    EXPECT_EQ(holds("ForAnyValue:" + name, wanted, std::nullopt), Truth::kNo) << name;
    EXPECT_EQ(holds(name + "IfExists", wanted, Values{std::string(c->fits_not)}), Truth::kNo)
        << name;
  }
}

TEST(Condition, AValueThatIsNotOfTheOperatorsTypeIsNotUnderstood) {
  for (const std::string name : {"NumericEquals", "NumericNotEquals", "DateLessThan", "Bool",
                                 "IpAddress", "NotIpAddress", "BinaryEquals", "ArnNotLike"}) {
    const auto c = std::find_if(std::begin(kCases), std::end(kCases),
                                [&](const OperatorCase& test) { return test.name == name; });
    EXPECT_EQ(holds(name, {std::string(c->wanted)}, Values{"neither the one nor the other!"}),
              Truth::kUnknown)
        << name;
  }
}

TEST(Condition, AnyOfItsValuesIsEnoughAndNoneOfANegatedOnes) {
  EXPECT_EQ(holds("StringEquals", {"a", "b"}, Values{"b"}), Truth::kYes);
  EXPECT_EQ(holds("StringNotEquals", {"a", "b"}, Values{"b"}), Truth::kNo);
  EXPECT_EQ(holds("StringNotEquals", {"a", "b"}, Values{"c"}), Truth::kYes);
}

TEST(Condition, ManyValuesNeedAQuantifier) {
  const Values two = {"a", "b"};
  EXPECT_EQ(holds("StringEquals", {"a"}, two), Truth::kUnknown);
  EXPECT_EQ(holds("ForAnyValue:StringEquals", {"a"}, two), Truth::kYes);
  EXPECT_EQ(holds("ForAnyValue:StringEquals", {"c"}, two), Truth::kNo);
  EXPECT_EQ(holds("ForAllValues:StringEquals", {"a"}, two), Truth::kNo);
  EXPECT_EQ(holds("ForAllValues:StringEquals", {"a", "b", "c"}, two), Truth::kYes);
  EXPECT_EQ(holds("ForAllValues:StringNotEquals", {"c"}, two), Truth::kYes);
  EXPECT_EQ(holds("ForAllValues:StringNotEquals", {"b"}, two), Truth::kNo);
  EXPECT_EQ(holds("ForAnyValue:StringNotEquals", {"b"}, two), Truth::kYes);
  EXPECT_EQ(holds("ForAllValues:StringEquals", {"a"}, Values{}), Truth::kYes);
  EXPECT_EQ(holds("ForAnyValue:StringEquals", {"a"}, Values{}), Truth::kNo);
}

TEST(Condition, NullAsksWhetherTheKeyIsAbsent) {
  EXPECT_EQ(holds("Null", {"true"}, std::nullopt), Truth::kYes);
  EXPECT_EQ(holds("Null", {"false"}, std::nullopt), Truth::kNo);
  EXPECT_EQ(holds("Null", {"true"}, Values{"x"}), Truth::kNo);
  EXPECT_EQ(holds("Null", {"false"}, Values{"x"}), Truth::kYes);
  EXPECT_EQ(holds("Null", {"true"}, Values{}), Truth::kYes);
}

TEST(Condition, WhatDoesNotExistIsRefused) {
  const std::string key = "app:key";
  EXPECT_TRUE(is_refused("StringMatches", key, {"a"}));
  EXPECT_TRUE(is_refused("stringequals", key, {"a"}));
  EXPECT_TRUE(is_refused("ForSomeValues:StringEquals", key, {"a"}));
  EXPECT_TRUE(is_refused("StringEqualsIfExistsIfExists", key, {"a"}));
  EXPECT_TRUE(is_refused("NullIfExists", key, {"true"}));
  EXPECT_TRUE(is_refused("ForAnyValue:Null", key, {"true"}));
  EXPECT_TRUE(is_refused("StringEquals", "key", {"a"}));
  EXPECT_TRUE(is_refused("StringEquals", "app:", {"a"}));
  EXPECT_TRUE(is_refused("StringEquals", "app:strange", {"a"}));
  EXPECT_TRUE(is_refused("StringEquals", "aws:NoSuchKey", {"a"}));
  EXPECT_TRUE(is_refused("StringEquals", "aws:PrincipalTag/", {"a"}));
  EXPECT_TRUE(is_refused("StringEquals", key, {}));
}

TEST(Condition, AValueOfAnotherTypeIsRefused) {
  const struct {
    std::string name;
    std::vector<std::string> values;
  } cases[] = {
      {"NumericEquals", {"", "x", "1e3", "0x10", "1 ", "--1", "inf", "nan", "${aws:username}"}},
      {"DateEquals",
       {"", "tomorrow", "2026-13-01", "2026-02-30", "2026-01-01T25:00:00Z", "2026-01-01T10:00",
        "2026-01-01 10:00:00Z"}},
      {"Bool", {"", "yes", "1", "${aws:SecureTransport}"}},
      {"Null", {"", "absent"}},
      {"BinaryEquals", {"A", "AAE*", "AAEC="}},
      {"IpAddress", {"", "203.0.113", "203.0.113.0/33", "2001:db8::/129", "203.0.113.0/", "*"}},
      {"ArnLike", {"", "*", "arn:aws:iam", "user/a", "urn:aws:iam::1:user/a"}},
      {"StringLike",
       {"${aws:username", "${aws:nothing}", "${app:strange}", "${}", "${aws:username, fallback}"}},
  };
  for (const auto& c : cases) {
    for (const std::string& value : c.values) {
      EXPECT_TRUE(is_refused(c.name, "app:key", {value})) << c.name << " " << value;
    }
  }
}

TEST(Condition, KeysDoNotDependOnCaseAndTagKeysNeither) {
  Asked asked;
  asked.principal.tags = {{"Team", "blue"}};
  const auto condition = Condition::make("StringEquals", "AWS:principaltag/TEAM", Values{"blue"},
                                         {LanguageVersion::k2012, nullptr});
  ASSERT_TRUE(condition);
  EXPECT_EQ(condition->holds(asked.request(), DocumentKind::kIdentityPolicy), Truth::kYes);
}

TEST(Variables, StandForWhatTheRequestSays) {
  Asked asked;
  asked.principal.tags = {{"team", "b*e"}};
  const auto like = [&](const std::string& wanted, const std::string& actual) {
    return holds("StringLike", {wanted}, Values{actual}, asked);
  };
  EXPECT_EQ(like("home/${aws:username}/*", "home/alice/x"), Truth::kYes);
  EXPECT_EQ(like("home/${aws:username}/*", "home/bob/x"), Truth::kNo);
  // What a variable stands for is no pattern.
  EXPECT_EQ(like("${aws:PrincipalTag/team}", "b*e"), Truth::kYes);
  EXPECT_EQ(like("${aws:PrincipalTag/team}", "blue"), Truth::kNo);
  EXPECT_EQ(like("${*}${?}${$}", "*?$"), Truth::kYes);
  EXPECT_EQ(like("${*}", "x"), Truth::kNo);
  // Without a value it is no text at all, unless it has another.
  EXPECT_EQ(like("*${aws:PrincipalTag/none}*", "x"), Truth::kNo);
  EXPECT_EQ(like("${aws:PrincipalTag/none, 'other'}", "other"), Truth::kYes);
  EXPECT_EQ(holds("StringNotLike", {"${aws:PrincipalTag/none}"}, Values{"x"}, asked), Truth::kYes);
  EXPECT_EQ(holds("StringEqualsIgnoreCase", {"${aws:USERNAME}"}, Values{"ALICE"}, asked),
            Truth::kYes);
}

TEST(Variables, AreTextInTheOlderLanguage) {
  const auto condition = Condition::make("StringEquals", "app:key", Values{"${aws:username}"},
                                         {LanguageVersion::k2008, AppKeys::knows});
  ASSERT_TRUE(condition);
  Asked asked;
  asked.keys.values["app:key"] = {"${aws:username}"};
  EXPECT_EQ(condition->holds(asked.request(), DocumentKind::kIdentityPolicy), Truth::kYes);
}

TEST(Variables, InsideOfAnArnMayHoldColons) {
  const auto condition = Condition::make("ArnLike", "aws:PrincipalArn",
                                         Values{"arn:aws:iam::${aws:PrincipalAccount}:user/a*"},
                                         {LanguageVersion::k2012, nullptr});
  ASSERT_TRUE(condition);
  EXPECT_EQ(condition->holds(Asked().request(), DocumentKind::kIdentityPolicy), Truth::kYes);
}

TEST(GlobalKeys, SayWhoCallsAndFromWhere) {
  Asked asked;
  asked.principal = session_of("reader", "s1");
  asked.environment.transport = Transport::kTls;
  asked.environment.token_issued_at = TimePoint(std::chrono::seconds(1'699'999'000));
  const auto value = [&](std::string_view name) {
    const ContextValue found = find_key(asked.request(), name, DocumentKind::kIdentityPolicy);
    return found.values.empty() ? std::string() : found.values.front();
  };
  EXPECT_EQ(value("aws:principalarn"), "arn:aws:iam::111122223333:role/reader");
  EXPECT_EQ(value("aws:principalaccount"), kAccountId);
  EXPECT_EQ(value("aws:principaltype"), "AssumedRole");
  EXPECT_EQ(value("aws:userid"), "AROAEXAMPLE:s1");
  EXPECT_EQ(value("aws:username"), "");
  EXPECT_EQ(value("aws:sourceip"), "203.0.113.7");
  EXPECT_EQ(value("aws:securetransport"), "true");
  EXPECT_EQ(value("aws:useragent"), "a client");
  EXPECT_EQ(value("aws:requestedregion"), "us-east-1");
  EXPECT_EQ(value("aws:currenttime"), "2023-11-14T22:13:20Z");
  EXPECT_EQ(value("aws:epochtime"), "1700000000");
  EXPECT_EQ(value("aws:tokenissuetime"), "2023-11-14T21:56:40Z");
  EXPECT_EQ(value("aws:viaawsservice"), "false");
}

}  // namespace
}  // namespace keyhold::iam
