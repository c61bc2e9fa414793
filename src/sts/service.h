// The STS actions that Keyhold has: AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity.
// https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "iam/actor.h"
#include "iam/request.h"
#include "iam/sigv4.h"
#include "sts/fault.h"
#include "sts/form.h"
#include "sts/session_credentials.h"
#include "sts/web_identity.h"

namespace keyhold::sts {

/// Whether an action asks for a signature.
enum class Signature : std::uint8_t { kRequired, kNone };

/// A call whose caller is known, or that has none. Views live as long as it is handled.
struct Call {
  const Form& form;
  const iam::Actor* actor = nullptr;  ///< null: the call is not signed
  iam::Environment environment;
  std::string_view request_id;
};

/// What the audit trail is told of a call; JSON texts as in CloudTrail, without secrets.
struct Record {
  std::string action;  ///< empty if the call named none that there is
  std::string request_parameters = "null";
  std::string response_elements = "null";
  std::string role_arn;      ///< of the role that was to be assumed
  std::string web_identity;  ///< the subject of a verified web identity token
  std::string provider;      ///< and its provider
  std::optional<Fault> fault;
};

struct Reply {
  int status = 200;
  Secret body;  ///< XML, with a secret access key in it
  Record record;
};

class Service {
 public:
  /// All must outlive it.
  Service(const iam::IdentityDirectory& identities, SessionCredentials& sessions,
          const ProviderSnapshot& providers)
      : identities_(identities), sessions_(sessions), providers_(providers) {}

  /// What the form's Action asks for; kRequired where it names none.
  static Signature signature_of(const Form& form);

  Reply handle(const Call& call) const;

  /// The answer to a call that ended before it was handled.
  static Reply refuse(const Fault& fault, std::string_view request_id);

 private:
  friend struct ActionRow;

  Answer<Secret> assume_role(const Call& call, Record& record) const;
  Answer<Secret> assume_role_with_web_identity(const Call& call, Record& record) const;
  Answer<Secret> get_caller_identity(const Call& call, Record& record) const;

  const iam::IdentityDirectory& identities_;
  SessionCredentials& sessions_;
  const ProviderSnapshot& providers_;
};

}  // namespace keyhold::sts
