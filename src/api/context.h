// What a handler works with.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/call.h"
#include "kms/call_parameters.h"
#include "kms/service.h"

namespace keyhold::api {

struct KeyUse;
struct Operation;

/// A handler starts with keys that exist, that the caller may use, of the right usage, in a state
/// that allows it; the operation's row says which.
class Context {
 public:
  /// Everything outlives the context.
  Context(kms::Service& service, const Requester& requester, const Operation& operation,
          const kms::CallParameters& parameters, CallRecord& record)
      : service_(service),
        requester_(requester),
        operation_(operation),
        parameters_(parameters),
        scope_{requester.account, requester.region},
        record_(record) {}
  Context(const Context&) = delete;  // handlers take it by reference; it holds one call's keys
  Context& operator=(const Context&) = delete;

  kms::Service& service() const { return service_; }
  const kms::Scope& scope() const { return scope_; }
  const kms::CallParameters& parameters() const { return parameters_; }

  /// The key of the row's use number `index`.
  const kms::Key& key(std::size_t index = 0) const { return *keys_.at(index); }
  /// The same where the request need not name one.
  const kms::Key* find_key(std::size_t index = 0) const { return keys_.at(index).get(); }
  const kms::KeyPtr& key_pointer(std::size_t index = 0) const { return keys_.at(index); }
  /// The request's CiphertextBlob, taken apart; not set when a dry run ignores it.
  const kms::CiphertextBlob& ciphertext() const { return *ciphertext_; }

  // Permissions, beyond those that the row asks for. Each is noted for the audit event, whatever
  // it answers. kAccessDenied with AWS's text.
  /// Of an action on no key: `resource` is `*` or an alias's ARN.
  Result<void> check_account_access(std::string_view action, std::string_view resource = "*");
  Result<void> check_retirement(const kms::Key& key, const kms::GrantRecord& grant);
  /// kMalformedPolicyDocument if the caller could not replace the policy again. `key`: null for one
  /// that is yet to be made.
  Result<void> check_lockout(const kms::Key* key, const iam::PolicyDocument& policy);

  // Notes for the audit event.
  void note_key(const kms::Key& key) {
    record_.resources.push_back({"AWS::KMS::Key", key.arn(), key.record().account});
  }
  void note_alias(std::string arn) {
    record_.resources.push_back({"AWS::KMS::Alias", std::move(arn), scope_.account});
  }
  void note_custody(std::string_view custody) { notes_.emplace_back("custody", custody); }
  /// `member`: of additionalEventData, `keyMaterialId`.
  void note_material(std::string_view member, std::string_view material_id) {
    notes_.emplace_back(member, material_id);
  }
  void note_grant(std::string_view grant_id) { notes_.emplace_back("grantId", grant_id); }

 private:
  friend class Dispatcher;

  /// Of the row's use number `index`.
  Result<void> check_key_access(std::size_t index);
  kms::AccessRequest access_request(std::string_view action, const kms::CallFacts& facts) const;
  /// Notes the answer and turns it into a result.
  Result<void> take(std::string_view action, kms::Access access);
  std::string additional_event_data() const;

  kms::Service& service_;
  const Requester& requester_;
  const Operation& operation_;
  const kms::CallParameters& parameters_;
  kms::Scope scope_;
  CallRecord& record_;
  std::array<kms::KeyPtr, 2> keys_;
  std::optional<kms::CiphertextBlob> ciphertext_;
  std::vector<std::pair<std::string, std::string>> notes_;
  std::vector<std::string> decisions_;
};

}  // namespace keyhold::api
