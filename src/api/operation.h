// Operations as rows: everything about one that is not its work.
//
// An operation is one file in operations/ that defines its row, and one line in operations.def that
// lists it. A listed row without a file does not link; a file without a line does not compile.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/call.h"
#include "api/context.h"
#include "api/shape.h"
#include "base/error.h"
#include "base/short_list.h"
#include "kms/authorizer.h"
#include "kms/call_parameters.h"
#include "kms/key_state.h"

namespace keyhold::api {

/// A request of some operation, read, validated and completed; what the pipeline needs of it, by
/// the name of the member. A member that is absent, or not of the kind asked for, is nothing.
class Request : public kms::CallParameters {
 public:
  virtual const Bytes* blob(std::string_view member) const = 0;
  virtual std::string audit_form() const = 0;
};

/// What a handler made.
struct Rendered {
  Secret body;
  std::string response_elements;  ///< as the audit event shows them
};

/// A handler without its types; see handled_by in handler.h.
struct Handler {
  Result<std::unique_ptr<Request>> (*read)(json::Value body);
  /// What AWS checks once it has the key, and before usage and state.
  Result<void> (*check_after_lookup)(const Request& request);
  /// What AWS checks of a request against its keys, once these fit.
  Result<void> (*check_with_keys)(const Context& context, const Request& request);
  Result<Rendered> (*run)(Context& context, const Request& request);
  Description (*request_shape)();
  Description (*response_shape)();
};

/// How a request says which key it means.
enum class Naming : std::uint8_t {
  kMember,          ///< in a member that it must have
  kOptionalMember,  ///< in a member that it may leave out, and then there is no key
  kCiphertext,      ///< in its CiphertextBlob; the member, if there, must name the same
};

/// The specs of keys that an operation works on, beyond what its usage says.
enum class Specs : std::uint8_t {
  kAny,
  kSymmetric,  ///< data keys are made under symmetric keys alone
};

/// A key that an operation works on, and what is asked of it.
struct KeyUse {
  std::string_view member;
  kms::KeyLookup lookup = kms::KeyLookup::kIdOrArn;
  Naming naming = Naming::kMember;
  std::string_view action = {};           ///< asked of policies; empty: nothing is asked
  std::string_view grant_operation = {};  ///< the word by which a grant allows it; empty: none does
  /// Of operations that grants do not know; whatever a grant can allow works across accounts.
  kms::CrossAccount cross_account = kms::CrossAccount::kNo;
  std::optional<KeyUsage> usage = {};
  std::optional<KeyOrigin> origin = {};  ///< of the keys it works on, if not on all
  kms::StateRule state = kms::StateRule::kAnyState;
  std::string_view algorithm_member = {};  ///< of the request: the algorithm it wants
  Specs specs = Specs::kAny;
};

/// Whether the operation works on such a key of another account.
constexpr bool works_across_accounts(const KeyUse& use) {
  return !use.grant_operation.empty() || use.cross_account == kms::CrossAccount::kYes;
}

enum class DryRun : std::uint8_t {
  kNone,
  kBeforeHandler,  ///< all checks are made, the work is not
  kAfterHandler,   ///< the work tells whether the call would succeed, and its result is dropped
  kByHandler,      ///< the handler makes further checks and then answers dry_run_verdict()
};

/// The answer to a dry run of a call that would succeed.
Error dry_run_verdict();

/// Whether a call may run on the thread that read it: light ones touch no store and wait for
/// nothing but, briefly, a token.
enum class Weight : std::uint8_t { kLight, kHeavy };

struct Operation {
  std::string_view name;
  /// Asked of policies with resource `*` (or the alias named), where the operation has no key of
  /// which it would be asked.
  std::string_view account_action = {};
  ShortList<KeyUse, 2> keys = {};
  DryRun dry_run = DryRun::kNone;
  Effect effect = Effect::kRead;
  Weight weight = Weight::kLight;
  /// As the API model lists them, as far as Keyhold knows them. Errors that any call can meet
  /// (ValidationException, AccessDeniedException, …) are not among them.
  ShortList<ErrorCode, 16> errors = {};
  Handler handler;
};

namespace rows {
#define KEYHOLD_OPERATION(name) extern const Operation k##name;
#include "api/operations.def"
#undef KEYHOLD_OPERATION
}  // namespace rows

/// All rows, in the order of operations.def.
std::span<const Operation* const> operations();

/// The operation of that exact name; null if it is not implemented.
const Operation* find_operation(std::string_view name);

/// An operation of AWS KMS that Keyhold does not have: it is answered as such, by name.
struct MissingOperation {
  std::string_view name;
  Effect effect;
};
std::span<const MissingOperation> missing_operations();

}  // namespace keyhold::api
