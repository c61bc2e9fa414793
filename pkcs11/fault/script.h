// The fault script: which call gets which fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pkcs11/cryptoki.h"

namespace keyhold::pkcs11::fault {

enum class Action : std::uint8_t {
  kPass,        ///< make the call; later lines are not looked at
  kInstead,     ///< do not make the call, answer `rv`
  kAfter,       ///< make the call, answer `rv`
  kDelay,       ///< wait, then go on with the lines that follow
  kExitBefore,  ///< end the process without making the call
  kExitAfter,   ///< make the call, then end the process
  kImitate,     ///< behave as another token does: `imitation`
};

/// A line of a script.
struct Rule {
  static constexpr std::size_t kAnyFunction = SIZE_MAX;

  std::size_t function = kAnyFunction;  ///< an index into the names the script was parsed with
  std::uint64_t first = 1;              ///< the first call it is for, from 1
  std::uint64_t last = UINT64_MAX;      ///< and the last
  Action action = Action::kPass;
  CK_RV rv = CKR_OK;
  std::uint32_t delay_ms = 0;
  std::string imitation;  ///< its name, and behind a `=` its value
};

/// Which imitations there are, and of which function; pkcs11/README.md says what each does.
struct ImitationRow {
  std::string_view function;
  std::string_view name;
  enum class Value : std::uint8_t { kNone, kNumber, kText } value;
};
std::span<const ImitationRow> imitations();

/// What a call is to get: delays added up, and the first other action of the lines that are for it.
struct Decision {
  std::uint32_t delay_ms = 0;
  Action action = Action::kPass;
  CK_RV rv = CKR_OK;
  std::string imitation;
};

/// A script with the calls counted against it. Not safe for several threads.
class Script {
 public:
  Script() = default;

  /// Reads `text`. What cannot be read is a sentence in `*problem` ("line 3: …"), and the script is
  /// then not to be used.
  static Script parse(std::string_view text, std::span<const std::string_view> functions,
                      std::string* problem);

  /// Counts a call and decides on it.
  Decision next(std::size_t function);

  std::span<const Rule> rules() const { return rules_; }

 private:
  std::vector<Rule> rules_;
  std::vector<std::uint64_t> calls_;
  std::uint64_t all_calls_ = 0;
};

}  // namespace keyhold::pkcs11::fault
