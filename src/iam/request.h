// What is asked of policies: who wants to do what, and with what around it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "iam/document_kind.h"
#include "iam/principal.h"

namespace keyhold::iam {

/// Whether a context key is there, in a given request.
enum class KeyPresence : std::uint8_t {
  kPresent,
  kAbsent,   ///< it is a key that the service knows, and this request has none of it
  kUnknown,  ///< no key that the service knows: a condition on it cannot be understood
};

struct ContextValue {
  KeyPresence presence = KeyPresence::kUnknown;
  std::vector<std::string> values{};  ///< more than one, or none, of a key that has many

  static ContextValue of(std::string value) { return {KeyPresence::kPresent, {std::move(value)}}; }
  static ContextValue of(std::vector<std::string> values) {
    return {KeyPresence::kPresent, std::move(values)};
  }
  static ContextValue absent() { return {KeyPresence::kAbsent, {}}; }
};

/// The context keys that iam cannot know: those of the service and `aws:` keys about its resources
/// and parameters. Read only for conditions that name them.
class ContextKeys {
 public:
  virtual ~ContextKeys() = default;
  /// `name` is in lower case, whatever the policy has: names of context keys do not depend on case.
  /// `kind` is that of the document that asks: some keys can be used in identity policies only.
  virtual ContextValue find(std::string_view name, DocumentKind kind) const = 0;
};

enum class Transport : std::uint8_t { kPlain, kTls };

/// What the server knows about a call. Views live as long as the request.
struct Environment {
  TimePoint now;
  std::string_view source_ip;  ///< empty: not known
  Transport transport = Transport::kPlain;
  std::string_view user_agent;                    ///< empty: none was sent
  std::string_view region;                        ///< the one the call was addressed to
  std::optional<TimePoint> token_issued_at = {};  ///< of temporary credentials
};

/// Views and references live as long as the evaluation and what is read of its decision.
struct Request {
  const Principal& principal;
  std::string_view action;            ///< `kms:Encrypt`
  std::string_view resource;          ///< an ARN, or `*`
  std::string_view resource_account;  ///< twelve digits; the principal's for `*`
  const Environment& environment;
  const ContextKeys* service_keys = nullptr;  ///< null: there are none but iam's own
  /// Of the user, or of the role whose session it is; the principal's own tags go before them.
  std::span<const Tag> identity_tags = {};
};

}  // namespace keyhold::iam
