#include "kms/key_policy.h"

#include <cstdlib>

#include "base/log.h"
#include "kms/condition_keys.h"

namespace keyhold::kms {
namespace {

constexpr std::string_view kClosed =
    R"({"Version":"2012-10-17","Statement":[{"Sid":"UnreadablePolicy","Effect":"Deny",)"
    R"("Principal":"*","Action":"kms:*","Resource":"*"}]})";

}  // namespace

std::string default_policy_text(std::string_view account) {
  return R"({
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::)" +
         std::string(account) + R"(:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
})";
}

std::string policy_text(const store::KeyRecord& record) {
  return record.policy.empty() ? default_policy_text(record.account) : record.policy;
}

Result<KeyPolicyPtr> compile_policy(std::string_view text) {
  TRY_ASSIGN(auto document, iam::PolicyDocument::parse(text, iam::DocumentKind::kResourcePolicy,
                                                       "key policy", is_condition_key));
  return std::make_shared<const iam::PolicyDocument>(std::move(document));
}

KeyPolicyPtr compile_policy(const store::KeyRecord& record) {
  if (auto compiled = compile_policy(policy_text(record))) return std::move(*compiled);
  log::error("the policy of key " + record.id + " cannot be read: nobody may use the key");
  auto closed = compile_policy(kClosed);
  if (!closed) std::abort();  // a constant of this file
  return std::move(*closed);
}

}  // namespace keyhold::kms
