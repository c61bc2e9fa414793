// The API's tables as text: docs/operations.md for readers, tests/golden/ for reviewers. A change
// of a row shows up in them. KEYHOLD_UPDATE_GOLDEN=1 writes them anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "api/operation.h"
#include "fake_service.h"
#include "kms/key_state.h"
#include "tests/support/places.h"

namespace keyhold::api {
namespace {

/// That the file says what is printed.
void expect_file(const std::string& path, const std::string& printed) {
  const std::string name = keyhold::test::source_folder() + "/" + path;
  if (std::getenv("KEYHOLD_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(name) << printed;
    return;
  }
  std::ifstream file(name);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), printed)
      << path << " is not what the tables say. Run this test with KEYHOLD_UPDATE_GOLDEN=1 and "
      << "look at what changed.";
}

std::vector<const Operation*> by_name() {
  std::vector<const Operation*> all(operations().begin(), operations().end());
  std::ranges::sort(all, {}, &Operation::name);
  return all;
}

std::string bounds(const Rule& rule) {
  if (!rule.min && !rule.max) return "";
  return " " + (rule.min ? std::to_string(*rule.min) : "") + ".." +
         (rule.max ? std::to_string(*rule.max) : "");
}

void print_members(std::string& out, const Description& members, int depth) {
  for (const auto& member : members) {
    out.append(static_cast<std::size_t>(depth) * 2, ' ');
    out.append(member.presence == Presence::kRequired ? "* " : "- ");
    out.append(member.name).append(": ").append(to_string(member.kind)).append(bounds(member.rule));
    const Rule& rule = member.rule;
    if (rule.pattern != Pattern::kNone)
      out.append(" /").append(expression(rule.pattern)).append("/");
    if (rule.element != nullptr) out.append(", each").append(bounds(*rule.element));
    const Rule& worded = rule.element != nullptr ? *rule.element : rule;
    for (const auto word : worded.words) out.append(" ").append(word);
    if (rule.privacy == Privacy::kSensitive) out.append(", never shown");
    if (rule.audit == Audit::kShown) out.append(", in audit");
    if (!rule.refusal.empty()) out.append(", refused: ").append(rule.refusal);
    out.append("\n");
    print_members(out, member.structure, depth + 1);
  }
}

std::string_view state_rule(kms::StateRule rule) {
  switch (rule) {
    case kms::StateRule::kAnyState:
      return "any";
    case kms::StateRule::kEnabled:
      return "Enabled";
    case kms::StateRule::kNotPendingDeletion:
      return "not PendingDeletion";
    case kms::StateRule::kPendingDeletion:
      return "PendingDeletion";
    case kms::StateRule::kHasMaterial:
      return "not PendingDeletion, PendingImport";
    case kms::StateRule::kRotated:
      return "Enabled, not EXTERNAL";
    case kms::StateRule::kRotationShown:
      return "not PendingImport";
    case kms::StateRule::kRotatedOnDemand:
      return "Enabled, PendingImport by the rules";
  }
  return "";
}

std::string_view dry_run(DryRun value) {
  switch (value) {
    case DryRun::kNone:
      return "no";
    case DryRun::kBeforeHandler:
      return "yes";
    case DryRun::kAfterHandler:
      return "yes, with the ciphertext";
    case DryRun::kByHandler:
      return "yes, with every check";
  }
  return "";
}

std::string identifiers(const KeyUse& use) {
  if (use.member == "AliasName") return "alias";
  return use.lookup == kms::KeyLookup::kIdOrArn ? "id, ARN" : "id, ARN, alias";
}

std::string naming(const KeyUse& use) {
  switch (use.naming) {
    case Naming::kMember:
      return "`" + std::string(use.member) + "`";
    case Naming::kOptionalMember:
      return "`" + std::string(use.member) + "`, if given";
    case Naming::kCiphertext:
      return "`CiphertextBlob` (and `" + std::string(use.member) + "`)";
  }
  return "";
}

TEST(Tables, OfShapesAreAsReviewed) {
  std::string out =
      "Requests and answers. * required, - optional; lengths and values as min..max.\n";
  for (const Operation* operation : by_name()) {
    out.append("\n").append(operation->name).append(" request\n");
    print_members(out, operation->handler.request_shape(), 0);
    out.append(operation->name).append(" answer\n");
    print_members(out, operation->handler.response_shape(), 0);
  }
  expect_file("tests/golden/shapes.txt", out);
}

TEST(Tables, OfStatesAreAsReviewed) {
  std::string out =
      "What each operation answers for a key in each state; one line for each key it works on.\n\n";
  for (const Operation* operation : by_name()) {
    for (const KeyUse& use : operation->keys) {
      out.append(operation->name).append(" ").append(use.member).append("\n");
      for (const KeyState state : {KeyState::kEnabled, KeyState::kDisabled,
                                   KeyState::kPendingDeletion, KeyState::kPendingImport}) {
        test::FakeService service;
        service.record().state = state;
        if (state == KeyState::kPendingImport) service.record().origin = KeyOrigin::kExternal;
        const auto key = service.key();
        const auto verdict = kms::check_state(use.state, *key);
        out.append("  ").append(to_string(state)).append(": ");
        if (verdict) {
          out.append("ok\n");
          continue;
        }
        std::string text = verdict.error().message();
        text.replace(text.find(key->arn()), key->arn().size(), "<ARN>");
        out.append(error_row(verdict.error().code()).wire_name).append(" ").append(text);
        out.append("\n");
      }
    }
  }
  expect_file("tests/golden/states.txt", out);
}

TEST(Tables, OfErrorsAreAsReviewed) {
  std::string out = "Every error that leaves the service, and the operations that list it.\n\n";
  constexpr auto kCodes = std::to_array<ErrorCode>({
#define KEYHOLD_ERROR(code, wire_name, status, blame) ErrorCode::code,
#include "base/error.def"
#undef KEYHOLD_ERROR
  });
  for (const ErrorCode code : kCodes) {
    const auto& row = error_row(code);
    out.append(row.wire_name).append(" ").append(std::to_string(row.http_status));
    out.append(row.blame == Blame::kCaller ? " caller:" : " service:");
    for (const Operation* operation : by_name()) {
      if (std::ranges::count(operation->errors, code) != 0) out.append(" ").append(operation->name);
    }
    out.append("\n");
  }
  expect_file("tests/golden/errors.txt", out);
}

std::string markdown_key_table() {
  std::string out =
      "| Operation | Key named by | takes | IAM action | grant operation | other accounts' keys | "
      "state | dry run | writes |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Operation* operation : by_name()) {
    const std::string ending = " | " + std::string(dry_run(operation->dry_run)) + " | " +
                               (operation->effect == Effect::kWrite ? "yes" : "no") + " |\n";
    const std::string name = "| `" + std::string(operation->name) + "` | ";
    if (!operation->account_action.empty()) {
      const bool alias = std::ranges::any_of(operation->keys,
                                             [](const KeyUse& use) { return !use.action.empty(); });
      out.append(name).append(alias ? "(the alias)" : "-").append(" | - | `");
      out.append(operation->account_action).append("` | - | - | any").append(ending);
    }
    for (const KeyUse& use : operation->keys) {
      out.append(name).append(naming(use)).append(" | ").append(identifiers(use)).append(" | ");
      out.append(use.action.empty() ? "-" : "`" + std::string(use.action) + "`").append(" | ");
      out.append(use.grant_operation.empty() ? "-" : "`" + std::string(use.grant_operation) + "`");
      out.append(works_across_accounts(use) ? " | yes | " : " | no | ");
      out.append(state_rule(use.state)).append(ending);
    }
  }
  return out;
}

std::string markdown_condition_keys() {
  std::string out = "| Condition key | read from |\n| --- | --- |\n";
  for (const auto& row : kms::condition_keys()) {
    out.append("| `").append(row.name).append("` | ").append(row.source).append(" |\n");
  }
  return out;
}

TEST(Tables, OfOperationsAreAsDocumented) {
  std::string out =
      "# Operations\n\n"
      "Printed from the operations' rows; a test compares this page with them. "
      "[adding-an-operation.md](adding-an-operation.md) says how a row comes about.\n\n"
      "## Implemented\n\n"
      "An operation that works on two keys, or on an alias and its key, has a line for each. "
      "Every answer can also be one of the errors that any call can meet: `ValidationException`, "
      "`SerializationException`, `AccessDeniedException`, `ThrottlingException`, and those of "
      "authentication.\n\n";
  out += markdown_key_table();
  out +=
      "\n## Condition keys\n\nWhat policies can ask about a call, besides the `aws:` keys about "
      "the "
      "caller and the connection. Names do not depend on case. A name that ends in `:` or `/` is "
      "followed by that of a pair or a tag.\n\n";
  out += markdown_condition_keys();
  out += "\n## Members and errors\n";
  for (const Operation* operation : by_name()) {
    out.append("\n### ").append(operation->name).append("\n\n");
    std::string taken;
    std::string refused;
    for (const auto& member : operation->handler.request_shape()) {
      std::string& list = member.rule.refusal.empty() ? taken : refused;
      list.append(list.empty() ? "`" : ", `").append(member.name).append("`");
      if (member.presence == Presence::kRequired) list.append(" (required)");
    }
    std::string answered;
    for (const auto& member : operation->handler.response_shape()) {
      answered.append(answered.empty() ? "`" : ", `").append(member.name).append("`");
    }
    std::string errors;
    for (const ErrorCode code : operation->errors) {
      errors.append(errors.empty() ? "`" : ", `").append(error_row(code).wire_name).append("`");
    }
    out.append("- Takes ").append(taken).append("\n");
    if (!refused.empty()) out.append("- Refuses by name ").append(refused).append("\n");
    out.append("- Answers ").append(answered.empty() ? "an empty body" : answered).append("\n");
    out.append("- Errors: ").append(errors).append("\n");
  }
  out += "\n## Not implemented\n\nAnswered with `UnsupportedOperationException`, by name:\n\n";
  for (const auto& missing : missing_operations()) {
    out.append("- `").append(missing.name).append("`\n");
  }
  expect_file("docs/operations.md", out);
}

TEST(Tables, NameNothingTwice) {
  std::set<std::string_view> names;
  for (const Operation* operation : operations()) {
    EXPECT_TRUE(names.insert(operation->name).second) << operation->name;
  }
}

// What the dispatcher looks for by name must be there under that name.
TEST(Tables, NameMembersThatTheirRequestsHave) {
  for (const Operation* operation : operations()) {
    SCOPED_TRACE(operation->name);
    const Description shape = operation->handler.request_shape();
    const auto has = [&](std::string_view name, Kind kind) {
      return std::ranges::any_of(shape, [&](const MemberDescription& member) {
        return member.name == name && member.kind == kind;
      });
    };
    for (const KeyUse& use : operation->keys) {
      EXPECT_TRUE(has(use.member, Kind::kString)) << use.member;
      if (!use.algorithm_member.empty()) {
        EXPECT_TRUE(has(use.algorithm_member, Kind::kString)) << use.algorithm_member;
      }
      EXPECT_EQ(use.naming == Naming::kCiphertext,
                has("CiphertextBlob", Kind::kBlob) && &use == &operation->keys[0]);
    }
    EXPECT_EQ(operation->dry_run != DryRun::kNone, has("DryRun", Kind::kBoolean));
    EXPECT_FALSE(operation->account_action.empty() && operation->keys.size() == 0);
  }
}

}  // namespace
}  // namespace keyhold::api
