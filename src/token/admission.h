// What a token can do and what it lets be done to keys, tried on throwaway keys when it is opened.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keyhold::token {

enum class Outcome : std::uint8_t {
  kRefused,
  kSucceeded,
  kNotShown,  ///< it could not be tried, so nothing is known: never to be read as refused
};

std::string_view to_string(Outcome outcome);

struct AdmissionAct {
  std::string act;  ///< "read the value of a sensitive key"
  Outcome outcome = Outcome::kNotShown;
  std::string detail;  ///< what the token said
};

/// The evidence that the custody of a token's keys rests on.
struct AdmissionReport {
  /// What Keyhold needs. Each has succeeded, or the token was not admitted.
  std::vector<AdmissionAct> needed;
  /// What would take a key out of the token. Deriving an extractable child is the one that may have
  /// succeeded: message keys are protected by the service then and not by the token, the materials
  /// themselves by the token.
  std::vector<AdmissionAct> forbidden;
};

/// Whether a token that is not admitted is opened all the same. Nothing but tests of what such
/// tokens do may ask for the second: keys in them are not in custody.
enum class AdmissionRule : std::uint8_t { kEnforced, kObserved };

}  // namespace keyhold::token
