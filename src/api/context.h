// What a handler works with.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/call.h"
#include "kms/service.h"

namespace keyhold::api {

/// A handler starts with keys that exist, that the caller may use, of the right usage, in a state
/// that allows it; the operation's row says which.
class Context {
 public:
  Context(kms::Service& service, const Requester& requester, CallRecord& record)
      : service_(service), scope_{requester.account, requester.region}, record_(record) {}
  Context(const Context&) = delete;  // handlers take it by reference; it holds one call's keys
  Context& operator=(const Context&) = delete;

  kms::Service& service() const { return service_; }
  const kms::Scope& scope() const { return scope_; }

  /// The key of the row's use number `index`.
  const kms::Key& key(std::size_t index = 0) const { return *keys_.at(index); }
  /// The same where the request need not name one.
  const kms::Key* find_key(std::size_t index = 0) const { return keys_.at(index).get(); }
  /// The request's CiphertextBlob, taken apart; not set when a dry run ignores it.
  const kms::CiphertextBlob& ciphertext() const { return *ciphertext_; }

  // Notes for the audit event.
  void note_key(const kms::Key& key) {
    record_.resources.push_back({"AWS::KMS::Key", key.arn(), key.record().account});
  }
  void note_alias(std::string arn) {
    record_.resources.push_back({"AWS::KMS::Alias", std::move(arn), scope_.account});
  }
  /// `member`: of additionalEventData, `keyMaterialId`.
  void note_material(std::string_view member, std::string_view material_id) {
    materials_.emplace_back(member, material_id);
  }

 private:
  friend class Dispatcher;

  kms::Service& service_;
  kms::Scope scope_;
  CallRecord& record_;
  std::array<kms::KeyPtr, 2> keys_;
  std::optional<kms::CiphertextBlob> ciphertext_;
  std::vector<std::pair<std::string, std::string>> materials_;
};

}  // namespace keyhold::api
