#include "sts/fault.h"

#include <array>
#include <stdexcept>

namespace keyhold::sts {
namespace {

// The STS API reference, "Common Error Types" and the errors of each action.
constexpr std::array<FaultRow, 17> kRows{{
    {FaultCode::kAccessDenied, "AccessDenied", 403},
    {FaultCode::kExpiredIdentityToken, "ExpiredTokenException", 400},
    // Of the credentials that a call is signed with.
    {FaultCode::kExpiredToken, "ExpiredToken", 403},
    {FaultCode::kIdpCommunicationError, "IDPCommunicationError", 400},
    {FaultCode::kIdpRejectedClaim, "IDPRejectedClaim", 403},
    {FaultCode::kIncompleteSignature, "IncompleteSignature", 400},
    {FaultCode::kInternalFailure, "InternalFailure", 500},
    {FaultCode::kInvalidAction, "InvalidAction", 400},
    {FaultCode::kInvalidClientTokenId, "InvalidClientTokenId", 403},
    {FaultCode::kInvalidIdentityToken, "InvalidIdentityToken", 400},
    {FaultCode::kMalformedPolicyDocument, "MalformedPolicyDocument", 400},
    {FaultCode::kMissingAction, "MissingAction", 400},
    {FaultCode::kMissingAuthenticationToken, "MissingAuthenticationToken", 403},
    {FaultCode::kPackedPolicyTooLarge, "PackedPolicyTooLarge", 400},
    {FaultCode::kSignatureDoesNotMatch, "SignatureDoesNotMatch", 403},
    {FaultCode::kThrottling, "Throttling", 400},
    {FaultCode::kValidationError, "ValidationError", 400},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].code) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

const FaultRow& fault_row(FaultCode code) { return kRows[static_cast<std::size_t>(code)]; }

Fault fault_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kIncompleteSignature:
      return {FaultCode::kIncompleteSignature, error.message()};
    case ErrorCode::kInvalidSignature:
      return {FaultCode::kSignatureDoesNotMatch, error.message()};
    case ErrorCode::kMissingAuthenticationToken:
      return {FaultCode::kMissingAuthenticationToken, error.message()};
    case ErrorCode::kUnrecognizedClient:
      return {FaultCode::kInvalidClientTokenId, error.message()};
    case ErrorCode::kExpiredToken:
      return {FaultCode::kExpiredToken, error.message()};
    case ErrorCode::kMalformedPolicyDocument:
      return {FaultCode::kMalformedPolicyDocument,
              error.message().empty() ? "This policy contains invalid Json" : error.message()};
    case ErrorCode::kLimitExceeded:
      return {FaultCode::kPackedPolicyTooLarge, error.message()};
    case ErrorCode::kThrottling:
      return {FaultCode::kThrottling, error.message()};
    case ErrorCode::kValidation:
      return {FaultCode::kValidationError, error.message()};
    default:
      return {FaultCode::kInternalFailure, ""};
  }
}

void throw_exception_from_error(const Fault& fault, const boost::source_location&) {
  throw std::logic_error("no value: " + std::string(fault_row(fault.code).wire_name));
}

}  // namespace keyhold::sts
