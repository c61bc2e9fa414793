#include "token/token_health.h"

namespace keyhold::token {

std::string_view to_string(Readiness readiness) {
  switch (readiness) {
    case Readiness::kReady:
      return "ready";
    case Readiness::kRecovering:
      return "recovering";
    case Readiness::kStuck:
      return "stuck";
    case Readiness::kGivenUp:
      return "given up";
  }
  return "unknown";
}

std::string_view to_string(Trouble trouble) {
  switch (trouble) {
    case Trouble::kNone:
      return "none";
    case Trouble::kAbsent:
      return "absent";
    case Trouble::kGone:
      return "gone";
    case Trouble::kWrongAnswer:
      return "wrong answer";
    case Trouble::kHungCall:
      return "hung call";
    case Trouble::kPinRefused:
      return "PIN refused";
  }
  return "unknown";
}

}  // namespace keyhold::token
