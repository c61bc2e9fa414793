#include "token/profile_draft.h"

#include <algorithm>

#include "base/wrapping_algorithm.h"
#include "pkcs11/error.h"
#include "token/pkcs11_names.h"

namespace keyhold::token {
namespace {

/// A basic string of TOML.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

template <typename Values, typename Name>
std::string list_of(const Values& values, const Name& name) {
  std::string out = "[";
  for (const auto& value : values) {
    if (out.size() > 1) out += ", ";
    out += quoted(name(value));
  }
  return out + "]";
}

std::string code_name(ReturnCode code) {
  const std::string_view name = pkcs11::rv_name(code);
  return return_code_of_name(std::string(name)) ? std::string(name) : hexadecimal(code);
}

/// What comes in from outside needs no line of a profile, and is worth knowing when one is chosen.
std::string imports_seen(const TokenCheck& check) {
  std::string in_token;
  std::string in_service;
  const auto ways = check.imports();
  for (const WrappingAlgorithmRow& row : wrapping_algorithm_rows()) {
    const auto way = std::ranges::find_if(ways, [&](const ImportWay& each) {
      return each.algorithm == row.algorithm && each.seen.place != Place::kNowhere;
    });
    if (way == ways.end()) continue;
    std::string& list = way->seen.place == Place::kToken ? in_token : in_service;
    list.append(list.empty() ? " " : ", ").append(to_string(row.algorithm));
  }
  if (in_token.empty() && in_service.empty()) return "# No key material can be imported.\n";
  std::string out;
  if (!in_token.empty()) out += "# Key material was unwrapped in it under" + in_token + ".\n";
  if (!in_service.empty()) {
    out += "# With the padding removed in the service it was under" + in_service + ".\n";
  }
  return out;
}

std::string wrapping_seen(const TokenCheck& check) {
  std::string out = "# Wrapped custody:\n";
  for (const AdmissionAct& act : check.wrapping) {
    out.append("#   ").append(to_string(act.outcome)).append(": ").append(act.act).append("\n");
  }
  for (const auto& [spec, seen] : check.wrapped_kinds) {
    if (seen.place != Place::kToken) continue;
    out.append("#   keys.custody = \"wrapped\" would hold ").append(to_string(spec)).append("\n");
  }
  return out;
}

}  // namespace

std::string draft_profile(const Profile& profile, const TokenCheck& check) {
  const MeasuredProfile& measured = check.measured;
  std::string out = "# " + check.identity.manufacturer + " " + check.identity.model +
                    ", firmware " + check.firmware + ", Cryptoki " + check.cryptoki +
                    ".\n# A draft of `keyhold token check`: every line is what the token did when "
                    "it was tried.\n";
  if (!check.is_admitted()) out += "# NOT ADMITTED: " + check.refusal + "\n";
  const auto section = [&](std::string_view name) { out.append("\n[").append(name).append("]\n"); };
  const auto line = [&](std::string_view key, const std::string& value, std::string_view why) {
    if (!why.empty()) out.append("# ").append(why).append("\n");
    out.append(key).append(" = ").append(value).append("\n");
  };

  section("module");
  line("path", quoted(profile.module), "");
  if (!profile.init_reserved.empty()) {
    line("init_reserved", quoted(profile.init_reserved), "C_Initialize wants its configuration.");
  }
  if (profile.init_locking == InitLocking::kOperatingSystem) {
    line("init_locking", "\"os\"", "It was started so.");
  }
  if (!profile.module_env.empty()) {
    out += "env = { ";
    for (const auto& [name, value] : profile.module_env) {
      if (!out.ends_with("{ ")) out += ", ";
      out += name + " = " + quoted(value);
    }
    out += " }\n";
  }
  section("token");
  if (profile.pin_format != kPinPlace) {
    line("pin_format", quoted(profile.pin_format), "What it wants to be given as its PIN.");
  }
  line("label", quoted(check.identity.label), "");
  line("serial", quoted(check.identity.serial), "Two tokens may bear one label.");

  section("sessions");
  // One session stays parked, one owns session objects, and somebody else may want some as well.
  const std::size_t sessions = std::clamp<std::size_t>(measured.sessions, 3, 34);
  line("max_sessions", std::to_string(sessions),
       measured.sessions < kMostSessions
           ? std::to_string(measured.sessions) + " could be open at once."
           : "It opened more than these without complaint.");
  line("calls_at_once", std::to_string(sessions - 2), "");
  if (profile.open_interval.count() > 0) {
    line("open_interval", quoted(std::to_string(profile.open_interval.count()) + "ms"),
         "It was reached so.");
  }

  section("keys");
  line("derivation", measured.derivation == Derivation::kEcb ? "\"ecb\"" : "\"none\"",
       measured.derivation == Derivation::kEcb
           ? "CKM_AES_ECB_ENCRYPT_DATA derives, and CKM_AES_CMAC authenticates."
           : "It does not derive by CKM_AES_ECB_ENCRYPT_DATA, or does not authenticate by "
             "CKM_AES_CMAC.");
  if (measured.gcm_iv != GcmIv::kFromCaller) {
    line("gcm_iv",
         measured.gcm_iv == GcmIv::kInBuffer ? "\"token-in-buffer\"" : "\"token-behind-message\"",
         "It makes the IVs of AES-GCM itself.");
  }
  if (measured.hmac_key_type == HmacKeyType::kOfHash) {
    line("hmac_key_type", "\"of-hash\"", "It makes no HMAC keys of the type CKK_GENERIC_SECRET.");
  }
  if (profile.hmac_generation != 0) {
    line("hmac_generation", quoted(hexadecimal(profile.hmac_generation)), "It was reached so.");
  }
  if (!measured.template_drop.empty()) {
    line("template_drop", list_of(measured.template_drop, attribute_name),
         "A key was not made while its template had them.");
  }
  if (!measured.decrypt_bad_codes.empty()) {
    line("decrypt_bad_codes", list_of(measured.decrypt_bad_codes, code_name),
         "What it answered to ciphertexts and RSA blocks that were changed or cut off.");
  }
  if (!measured.unwrap_bad_codes.empty()) {
    line("unwrap_bad_codes", list_of(measured.unwrap_bad_codes, code_name),
         "What it answered to wrapped keys that were changed, and others do not.");
  }
  if (measured.oaep_padding == OaepPadding::kRemovedInService) {
    line("remove_oaep_padding_in_service", "false",
         "It has no OAEP with SHA-256. With true, the service removes that padding, and such keys "
         "are host-staged.");
  }
  line("data_key_pairs",
       measured.data_key_pairs == DataKeyPairs::kMadeInToken ? "\"token\"" : "\"service\"",
       measured.data_key_pairs == DataKeyPairs::kMadeInToken
           ? "A readable session pair was made and read."
           : "No readable session pair could be made and read.");
  out += imports_seen(check) + wrapping_seen(check);
  return out;
}

}  // namespace keyhold::token
