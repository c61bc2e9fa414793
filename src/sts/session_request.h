// The parameters that the actions which assume roles have in common, read and bounded.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "iam/principal.h"
#include "iam/request.h"
#include "sts/fault.h"
#include "sts/form.h"

namespace keyhold::sts {

struct SessionRequest {
  std::string role_arn;
  std::string session_name;
  std::chrono::seconds duration{};
  std::optional<std::string> policy{};
  std::vector<iam::Tag> tags{};
  std::optional<std::string> external_id{};

  /// kValidationError with AWS's sentence for a parameter that is missing, out of its bounds or not
  /// one of those that are built.
  static Answer<SessionRequest> read(const Form& form);
};

/// One sentence of AWS's validation.
Fault violation(std::string_view value, std::string_view member, std::string_view constraint);

/// The context keys that a trust policy can ask for.
class SessionKeys final : public iam::ContextKeys {
 public:
  /// `request` must outlive it.
  explicit SessionKeys(const SessionRequest& request) : request_(request) {}

  /// What a provider says: `<host and path>:aud` and `…:sub`.
  void set_provider(std::string_view host_and_path, std::string audience, std::string subject);

  iam::ContextValue find(std::string_view name, iam::DocumentKind kind) const override;

 private:
  const SessionRequest& request_;
  std::string provider_;  ///< in lower case
  std::string audience_;
  std::string subject_;
};

}  // namespace keyhold::sts
