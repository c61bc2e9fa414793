// What STS answers instead of a result: its own codes, which are not KMS's.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/result.h"

namespace keyhold::sts {

enum class FaultCode : std::uint8_t {
  kAccessDenied,
  kExpiredIdentityToken,
  kExpiredToken,
  kIdpCommunicationError,
  kIdpRejectedClaim,
  kIncompleteSignature,
  kInternalFailure,
  kInvalidAction,
  kInvalidClientTokenId,
  kInvalidIdentityToken,
  kMalformedPolicyDocument,
  kMissingAction,
  kMissingAuthenticationToken,
  kPackedPolicyTooLarge,
  kSignatureDoesNotMatch,
  kThrottling,
  kValidationError,
};

/// A row of the table of codes.
struct FaultRow {
  FaultCode code;
  std::string_view wire_name;
  int http_status;
};
const FaultRow& fault_row(FaultCode code);

struct Fault {
  FaultCode code = FaultCode::kInternalFailure;
  std::string message{};
};

/// What STS calls an error of the parts that it shares with KMS: signatures and policies.
Fault fault_of(const Error& error);

/// Called by boost when value() is asked of a failed answer, which is a bug in the caller.
[[noreturn]] void throw_exception_from_error(const Fault& fault, const boost::source_location& at);

template <typename T>
class [[nodiscard]] Answer : public boost::system::result<T, Fault> {
 public:
  using boost::system::result<T, Fault>::result;
};

}  // namespace keyhold::sts
