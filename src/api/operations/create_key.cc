//= https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html
#include "api/handler.h"
#include "api/key_metadata.h"
#include "api/members.h"
#include "api/operations/policy.h"
#include "api/tags.h"
#include "base/key_spec.h"

namespace keyhold::api {
namespace {

/// Both words are of the model, so both have their row.
bool is_compatible(std::string_view spec, std::string_view usage) {
  return row_of(parse_word<KeySpec>(spec).value())
      .usages.contains(parse_word<KeyUsage>(usage).value());
}

struct Request {
  std::optional<std::string> policy;
  std::optional<std::string> description;
  std::optional<std::string> key_usage;
  std::optional<std::string> customer_master_key_spec;
  std::optional<std::string> key_spec;
  std::optional<std::string> origin;
  std::optional<std::string> custom_key_store_id;
  std::optional<bool> bypass_policy_lockout_safety_check;
  std::vector<Tag> tags;
  std::optional<bool> multi_region;
  std::optional<std::string> xks_key_id;

  static constexpr auto shape() {
    return members(
        optional("Policy", &Request::policy, kPolicy.in_audit()),
        optional("Description", &Request::description, kDescription.in_audit()),
        optional("KeyUsage", &Request::key_usage, kKeyUsage.in_audit()),
        optional("CustomerMasterKeySpec", &Request::customer_master_key_spec,
                 kCustomerMasterKeySpec.in_audit()),
        optional("KeySpec", &Request::key_spec, kKeySpec.in_audit()),
        optional("Origin", &Request::origin, kOrigin.in_audit()),
        optional("CustomKeyStoreId", &Request::custom_key_store_id,
                 kCustomKeyStoreId.in_audit().refused(kCustomKeyStoresRefusal)),
        optional("BypassPolicyLockoutSafetyCheck", &Request::bypass_policy_lockout_safety_check,
                 Rule{}.in_audit()),
        optional("Tags", &Request::tags, Rule{}.in_audit()),
        optional("MultiRegion", &Request::multi_region,
                 Rule{}.in_audit().refused("Multi-Region keys are not supported.")),
        optional("XksKeyId", &Request::xks_key_id,
                 Rule{.min = 1, .max = 128, .pattern = Pattern::kXksKeyId}.in_audit().refused(
                     "External key stores are not supported.")));
  }

  Result<void> complete() {
    if (key_spec && customer_master_key_spec) {
      return Error(ErrorCode::kValidation,
                   "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
                   "CustomerMasterKeySpec is deprecated.");
    }
    if (!key_spec) key_spec = customer_master_key_spec.value_or(std::string(kSymmetricDefault));
    if (!key_usage && *key_spec != kSymmetricDefault) {
      return Error(ErrorCode::kValidation,
                   "You must specify a KeyUsage value for all KMS keys except for symmetric "
                   "encryption keys.");
    }
    if (!key_usage) key_usage = "ENCRYPT_DECRYPT";
    if (!is_compatible(*key_spec, *key_usage)) {
      return Error(ErrorCode::kValidation,
                   "KeyUsage " + *key_usage + " is not compatible with KeySpec " + *key_spec);
    }
    // The audit event shows the defaults as if they had been sent.
    customer_master_key_spec = key_spec;
    if (!origin) origin = "AWS_KMS";
    if (!description) description = "";
    if (!multi_region) multi_region = false;
    if (!bypass_policy_lockout_safety_check) bypass_policy_lockout_safety_check = false;
    return {};
  }
};

struct Response {
  KeyMetadata key_metadata;

  static constexpr auto shape() {
    return members(optional("KeyMetadata", &Response::key_metadata, Rule{}.in_audit()));
  }
};

Result<kms::NewKey> wanted_key(const Request& in, std::string_view region) {
  if (*in.key_spec == "SM2" && !region.starts_with("cn-")) {
    return Error(ErrorCode::kUnsupportedOperation, "KeySpec SM2 is not supported in this Region");
  }
  const KeySpec spec = parse_word<KeySpec>(*in.key_spec).value();
  const auto origin = parse_word<KeyOrigin>(*in.origin);
  if (!origin) {
    return Error(ErrorCode::kUnsupportedOperation, "Origin " + *in.origin + " is not supported.");
  }
  return kms::NewKey{.description = *in.description,
                     .policy = in.policy.value_or(""),
                     .tags = from_wire(in.tags),
                     .spec = spec,
                     .usage = parse_word<KeyUsage>(*in.key_usage).value(),
                     .origin = *origin};
}

Result<Response> create_key(Context& context, const Request& in) {
  if (in.policy) {
    TRY_ASSIGN(const auto policy, context.service().read_policy(*in.policy));
    if (!*in.bypass_policy_lockout_safety_check) TRY(context.check_lockout(nullptr, *policy));
  }
  if (!in.tags.empty()) TRY(context.check_account_access("kms:TagResource"));
  TRY_ASSIGN(const kms::NewKey wanted, wanted_key(in, context.scope().region));
  TRY_ASSIGN(const kms::KeyPtr key, context.service().create_key(context.scope(), wanted));
  context.note_key(*key);
  note_custody(context, *key);
  return Response{key_metadata(context.service(), *key)};
}

}  // namespace

constinit const Operation rows::kCreateKey = {
    .name = "CreateKey",
    .account_action = "kms:CreateKey",
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kDependencyTimeout, ErrorCode::kInvalidArn,
               ErrorCode::kUnsupportedOperation, ErrorCode::kKmsInternal, ErrorCode::kLimitExceeded,
               ErrorCode::kMalformedPolicyDocument, ErrorCode::kTag,
               ErrorCode::kCustomKeyStoreNotFound},
    .handler = handled_by<create_key>,
};

}  // namespace keyhold::api
