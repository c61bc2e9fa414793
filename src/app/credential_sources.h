// Every credential that a request can be signed with.
#pragma once

#include <memory>
#include <string_view>

#include "iam/credential.h"
#include "sts/session_credentials.h"

namespace keyhold::app {

/// Access keys from the store, temporary ones from their security tokens.
class CredentialSources final : public iam::CredentialSource {
 public:
  /// Both must outlive it.
  CredentialSources(const iam::CredentialSource& stored, const sts::SessionCredentials& sessions)
      : stored_(stored), sessions_(sessions) {}

  std::shared_ptr<const iam::Credential> find(std::string_view access_key_id) const override {
    return stored_.find(access_key_id);
  }
  std::shared_ptr<const iam::Credential> find_temporary(std::string_view access_key_id,
                                                        std::string_view token) const override {
    return sessions_.find(access_key_id, token);
  }

 private:
  const iam::CredentialSource& stored_;
  const sts::SessionCredentials& sessions_;
};

}  // namespace keyhold::app
