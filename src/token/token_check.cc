#include "token/token_check.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/key_spec.h"
#include "base/wrapping_algorithm.h"
#include "pkcs11/slot.h"
#include "token/admission_trial.h"
#include "token/bad_input_trial.h"
#include "token/capability_probe.h"
#include "token/known_answer_trial.h"
#include "token/measurement.h"
#include "token/profile_draft.h"
#include "token/token_error.h"
#include "token/token_link.h"
#include "token/wrapping_probe.h"
#include "token/wrapping_trial.h"

namespace keyhold::token {
namespace {

std::string version(CK_VERSION version) {
  const std::string minor = std::to_string(version.minor);
  return std::to_string(version.major) + "." + minor;
}

/// What an operator can do about a module or a token that cannot be reached.
struct Remedy {
  std::string_view code;  ///< as it stands in the token's words
  std::string_view advice;
};
constexpr auto kRemedies = std::to_array<Remedy>({
    {"CKR_ARGUMENTS_BAD",
     "the module may want its configuration as text (module.init_reserved), or no functions to "
     "lock "
     "by (module.init_locking = os)"},
    {"CKR_PIN_INCORRECT",
     "the PIN is wrong, or in another form than this token wants it: token.pin_format"},
    {"CKR_PIN_LEN_RANGE",
     "the PIN is too short or too long for this token, or wants token.pin_format"},
    {"CKR_PIN_LOCKED", "the PIN is locked: the token's own tools unlock it"},
    {"CKR_USER_PIN_NOT_INITIALIZED", "the token has no user PIN yet: its own tools set it"},
    {"CKR_TOKEN_NOT_PRESENT", "no token has that label and serial: --label, --serial"},
    {"CKR_LIBRARY_LOAD_FAILED",
     "the file is no PKCS#11 module, or a library of its own is missing"},
    {"CKR_CANT_LOCK", "the module wants functions to lock by: module.init_locking = as-it-likes"},
});

Error unreachable(const Error& error) {
  std::string sentence = error.detail().empty() ? error.message() : error.detail();
  for (const auto& [code, advice] : kRemedies) {
    if (sentence.find(code) == std::string::npos) continue;
    sentence.append(" (").append(advice).append(")");
    break;
  }
  return Error(ErrorCode::kValidation, std::move(sentence));
}

Result<std::unique_ptr<TokenLink>> reach(const Profile& profile, const Secret& pin) {
  auto link = TokenLink::open(profile, pin);
  if (!link) return unreachable(link.error());
  const auto started = (*link)->restart();
  if (!started) return unreachable(started.error());
  return link;
}

Profile with(Profile profile, const MeasuredProfile& measured) {
  profile.derivation = measured.derivation;
  profile.template_drop = measured.template_drop;
  profile.decrypt_bad_codes = measured.decrypt_bad_codes;
  profile.oaep_padding = measured.oaep_padding;
  profile.data_key_pairs = measured.data_key_pairs;
  profile.gcm_iv = measured.gcm_iv;
  profile.hmac_key_type = measured.hmac_key_type;
  return profile;
}

void add_codes(std::vector<ReturnCode>& codes, const std::vector<ReturnCode>& seen) {
  for (const ReturnCode code : seen) {
    if (std::ranges::count(codes, code) == 0) codes.push_back(code);
  }
  std::ranges::sort(codes);
}

/// The token as this process sees it.
void describe(const TokenLink& link, TokenCheck& check) {
  const pkcs11::TokenInfo info = link.info();
  check.identity = {info.label, info.serial, info.manufacturer, info.model};
  check.firmware = version(info.firmware_version);
  if (const auto module = link.module().info()) check.cryptoki = version(module->cryptoki_version);
}

void advise(TokenCheck& check) {
  const MeasuredProfile& measured = check.measured;
  const auto say = [&](std::string sentence) { check.advice.push_back(std::move(sentence)); };
  if (!measured.template_drop.empty()) {
    say("it does not take attributes that harden keys: keys.template_drop leaves them out, and "
        "what "
        "they would have kept from happening is tried below");
  }
  if (measured.derivation == Derivation::kNone) {
    say("messages would be encrypted under the key materials themselves (keys.derivation = "
        "\"none\"), and a key is at its end after 2^31 messages unless it is rotated");
  }
  if (measured.sessions < kMostSessions) {
    say("no more than " + std::to_string(measured.sessions) +
        " sessions could be open at once: sessions.max_sessions");
  }
  for (const AdmissionAct& act : check.admission.needed) {
    if (act.outcome != Outcome::kSucceeded) {
      say("symmetric keys need it to " + act.act + ", and it does not: " + act.detail);
    }
  }
  for (const AdmissionAct& act : check.admission.forbidden) {
    if (act.outcome != Outcome::kSucceeded) continue;
    say(act.act.starts_with("derive ")
            ? "whoever is logged in can " + act.act +
                  ": message keys are protected by the service, "
                  "and not by the token"
            : "it lets whoever is logged in " + act.act +
                  ": no profile mends that, and keys in it are not in custody");
  }
  if (measured.oaep_padding == OaepPadding::kRemovedInService) {
    say("it has no CKM_RSA_PKCS_OAEP with SHA-256: keys.remove_oaep_padding_in_service lets the "
        "service remove the padding, and such keys are host-staged");
  }
  for (const AdmissionAct& act : check.wrapping) {
    if (act.outcome == Outcome::kRefused && !act.act.starts_with("wrap ")) {
      say("wrapped custody needs it to " + act.act + ", and it does not: " + act.detail);
    }
  }
  for (const AdmissionAct& act : check.bad_input) {
    if (act.outcome == Outcome::kRefused) {
      say("it does not " + act.act + ": what is damaged on its way may pass for whole");
    }
  }
  for (const KnownAnswer& answer : check.known_answers) {
    if (answer.outcome == Outcome::kRefused) {
      say(answer.name + " does not compute what " + answer.source + " publishes: " + answer.detail);
    }
  }
}

}  // namespace

std::vector<std::pair<std::string, Result<void>>> TokenCheck::features() const {
  std::vector<std::pair<std::string, Result<void>>> all;
  Result<void> custody;
  if (!is_admitted()) {
    custody = Error(ErrorCode::kUnsupportedOperation, "the token is not admitted");
  }
  for (const KeySpecRow& spec : key_spec_rows()) {
    for (const KeyUsage usage : spec.usages) {
      const std::string name =
          "KeySpec " + std::string(to_string(spec.spec)) + ", " + std::string(to_string(usage));
      all.emplace_back(name, custody ? capabilities.check_kind({spec.spec, usage}) : custody);
    }
  }
  return all;
}

std::vector<ImportWay> TokenCheck::imports() const {
  std::vector<ImportWay> ways;
  for (const KeySpecRow& spec : key_spec_rows()) {
    for (const KeyUsage usage : spec.usages) {
      if (!capabilities.check_kind({spec.spec, usage})) continue;
      for (const WrappingAlgorithmRow& row : wrapping_algorithm_rows()) {
        if (wrapping_refusal(spec.spec, row.algorithm, KeySpec::kRsa4096)) continue;
        const MaterialKind kind{spec.spec, usage};
        ways.push_back({kind, row.algorithm, capabilities.import(kind, row.algorithm)});
      }
    }
  }
  return ways;
}

Result<std::vector<FoundToken>> list_tokens(const Profile& profile) {
  TRY_ASSIGN(const auto link, [&]() -> Result<std::unique_ptr<TokenLink>> {
    auto opened = TokenLink::open(profile, Secret());
    if (!opened) return unreachable(opened.error());
    return opened;
  }());
  const auto listed = link->list_tokens();
  if (!listed) return unreachable(to_error(listed.error(), "listing the tokens"));
  std::vector<FoundToken> found;
  for (const pkcs11::TokenInfo& info : *listed) {
    found.push_back({info.label, info.serial, info.manufacturer, info.model});
  }
  return found;
}

Result<TokenCheck> check_token(const Profile& profile, const Secret& pin, ProbedSizes sizes,
                               Random& random) {
  TokenCheck check;
  {
    TRY_ASSIGN(const auto link, reach(profile, pin));
    describe(*link, check);
    TRY_ASSIGN(check.measured, measure(*link, random));
  }
  // With what it was seen to need.
  TRY_ASSIGN(const auto link, reach(with(profile, check.measured), pin));
  ObservedAdmission observed = observe_admission(*link, random);
  check.admission = std::move(observed.report);
  check.refusal = std::move(observed.refusal);
  check.known_answers = try_known_answers(*link);
  TRY_ASSIGN(check.capabilities, probe_capabilities(*link, random, sizes));
  check.capabilities.heed(check.admission);
  check.wrapping = try_wrapping(*link, random);
  TRY_ASSIGN(auto wraps, probe_wrapping(*link, check.capabilities, random));
  check.wrapped_kinds = std::move(wraps.kinds);
  TRY_ASSIGN(auto answers, try_bad_input(*link, random));
  check.bad_input = std::move(answers.acts);
  add_codes(check.measured.decrypt_bad_codes, answers.decrypt_codes);
  check.measured.unwrap_bad_codes = std::move(answers.unwrap_codes);
  advise(check);
  check.draft = draft_profile(profile, check);
  return check;
}

}  // namespace keyhold::token
