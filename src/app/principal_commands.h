// The operator's commands about principals and access keys, as the control socket hears them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/credential_store.h"
#include "app/event_recorder.h"
#include "app/identity_change.h"
#include "app/principal_store.h"
#include "base/json.h"
#include "base/result.h"
#include "iam/sigv4.h"

namespace keyhold::app {

class PrincipalCommands {
 public:
  /// All must outlive it. `verifier` forgets what it derived from an access key that is disabled;
  /// `recorder` puts each change on record.
  PrincipalCommands(PrincipalStore& principals, CredentialStore& credentials,
                    iam::SigV4Verifier& verifier, EventRecorder& recorder)
      : principals_(principals),
        credentials_(credentials),
        verifier_(verifier),
        recorder_(recorder) {}

  /// One JSON object, or an error for the operator; nothing if the command is none of these:
  /// `principal.put` (definition), `principal.remove` (account, name), `principal.list`,
  /// `principal.reload`, `principal.revoke` (account and role, or accessKeyId),
  /// `credential.create` (account, principal), `credential.list`, `credential.rotate`,
  /// `credential.disable` and `credential.enable` (accessKeyId).
  /// `by` gives the command.
  std::optional<Result<std::string>> answer(const Operator& by, std::string_view command,
                                            const json::Value& request);

 private:
  PrincipalStore& principals_;
  CredentialStore& credentials_;
  iam::SigV4Verifier& verifier_;
  EventRecorder& recorder_;

  friend struct PrincipalCommandRow;
};

}  // namespace keyhold::app
