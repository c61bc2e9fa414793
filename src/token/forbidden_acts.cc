#include "token/forbidden_acts.h"

#include <array>
#include <utility>

#include "base/secret.h"
#include "pkcs11/crypto.h"
#include "token/construction.h"
#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/key_wrapping.h"
#include "token/materials.h"
#include "token/message_key.h"
#include "token/pkcs11_names.h"

namespace keyhold::token {
namespace {

Trial refused(const pkcs11::Error& error) { return {Outcome::kRefused, error.text()}; }

/// A mechanism or function the token does not have shows nothing about the act.
Trial judged(const pkcs11::Error& error) {
  const bool absent = error.rv() == CKR_MECHANISM_INVALID ||
                      error.rv() == CKR_FUNCTION_NOT_SUPPORTED ||
                      error.rv() == CKR_MECHANISM_PARAM_INVALID;
  return {absent ? Outcome::kNotShown : Outcome::kRefused, error.text()};
}

}  // namespace

ByteView throwaway_name() { return as_bytes("keyhold admission, 32 bytes long"); }

pkcs11::Result<SessionObject> generate_throwaway_material(TokenLink& link) {
  return link.objects().generate(pkcs11::Mechanism::plain(CKM_AES_KEY_GEN),
                                 material_template(link.profile(), Residence::kSession,
                                                   throwaway_name(), "keyhold admission"));
}

Material throwaway_material(const TokenLink& link) {
  Material material;
  material.construction = construction_of(link.profile(), {});
  return material;
}

std::vector<ForbiddenAct> ForbiddenActs::all() {
  using enum ForbiddenAct::Weight;
  std::vector<ForbiddenAct> acts = {
      {"read the value of a sensitive key", kFatal, [this] { return read_value(material_); }},
      {"wrap a key that is not extractable", kFatal, [this] { return wrap(); }},
      {"wrap such a key under a key of known value", kFatal, [this] { return wrap_under_known(); }},
      {"make a key extractable or not sensitive", kFatal, [this] { return soften(); }},
      {"copy a key into an extractable or readable one", kFatal, [this] { return copy_softer(); }},
  };
  if (link_.profile().derivation == Derivation::kEcb) {
    acts.push_back({"derive an extractable key from a key material", kReported,
                    [this] { return derive_extractable(); }});
  }
  if (link_.profile().custody == MaterialCustody::kWrapped) {
    acts.push_back({"wrap a key material again that was unwrapped to be used", kFatal,
                    with_wrapped(&ForbiddenActs::wrap_unwrapped)});
    acts.push_back({"decrypt a wrapped key material as if it were data", kFatal,
                    with_wrapped(&ForbiddenActs::decrypt_wrapped)});
    acts.push_back({"unwrap a wrapped key material readable", kReported,
                    with_wrapped(&ForbiddenActs::unwrap_readable)});
  }
  return acts;
}

std::function<Trial()> ForbiddenActs::with_wrapped(Trial (ForbiddenActs::*act)(const Wrapped&)) {
  return [this, act]() -> Trial {
    if (!wrapped_) wrapped_.emplace(wrap_material());
    if (!*wrapped_) return {Outcome::kNotShown, wrapped_->error().text()};
    return (this->*act)(**wrapped_);
  };
}

Trial ForbiddenActs::read_value(pkcs11::ObjectHandle key) {
  const auto value = link_.on_session(
      [&](pkcs11::Session& session) { return pkcs11::get_attribute(session, key, CKA_VALUE); });
  if (!value) return refused(value.error());
  if (value->shown == pkcs11::Shown::kShown) return {Outcome::kSucceeded, {}};
  return {Outcome::kRefused, value->shown == pkcs11::Shown::kSensitive
                                 ? "C_GetAttributeValue: sensitive"
                                 : "C_GetAttributeValue: no such attribute"};
}

/// An AES key that may wrap, with a value of the token's or a known one.
pkcs11::Attributes ForbiddenActs::wrapping_template() const {
  pkcs11::Attributes attributes;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_AES)
      .no(CKA_TOKEN)
      .yes(CKA_PRIVATE)
      .yes(CKA_ENCRYPT)
      .yes(CKA_WRAP);
  return attributes;
}

Trial ForbiddenActs::wrap_under(pkcs11::ObjectHandle wrapping_key) {
  std::optional<Trial> outcome;
  for (const CK_MECHANISM_TYPE type : {CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD, CKM_AES_ECB}) {
    const auto wrapped = link_.on_session([&](pkcs11::Session& session) {
      return pkcs11::wrap_key(session, pkcs11::Mechanism::plain(type), wrapping_key, material_);
    });
    if (wrapped) return {Outcome::kSucceeded, {}};
    const Trial trial = judged(wrapped.error());
    if (!outcome || trial.outcome == Outcome::kRefused) outcome = trial;
  }
  return *outcome;
}

Trial ForbiddenActs::wrap() {
  const auto wrapping_key =
      link_.objects().generate(pkcs11::Mechanism::plain(CKM_AES_KEY_GEN),
                               wrapping_template().number(CKA_VALUE_LEN, kDerivedKeySize));
  if (!wrapping_key) return {Outcome::kNotShown, wrapping_key.error().text()};
  return wrap_under(wrapping_key->handle());
}

Trial ForbiddenActs::wrap_under_known() {
  const std::array<std::uint8_t, kDerivedKeySize> known{};
  const auto wrapping_key = link_.objects().create(wrapping_template().bytes(CKA_VALUE, known));
  if (!wrapping_key) return {Outcome::kNotShown, wrapping_key.error().text()};
  return wrap_under(wrapping_key->handle());
}

Trial ForbiddenActs::soften() {
  // A key of its own, since one that softens is no use for what follows.
  const auto key = generate_throwaway_material(link_);
  if (!key) return {Outcome::kNotShown, key.error().text()};
  std::string said;
  for (const CK_ATTRIBUTE_TYPE type : {CKA_EXTRACTABLE, CKA_SENSITIVE}) {
    const auto set = link_.on_session([&](pkcs11::Session& session) {
      CK_BBOOL value = type == CKA_EXTRACTABLE ? CK_TRUE : CK_FALSE;
      CK_ATTRIBUTE attribute{type, &value, sizeof value};
      return session.call("C_SetAttributeValue", &CK_FUNCTION_LIST::C_SetAttributeValue,
                          key->handle().value, &attribute, CK_ULONG{1});
    });
    // Answering success and changing nothing would be no softening.
    if (set && openness(link_, key->handle())) return {Outcome::kSucceeded, {}};
    said = set ? "C_SetAttributeValue: success without effect" : set.error().text();
  }
  return {Outcome::kRefused, said};
}

Trial ForbiddenActs::copy_softer() {
  std::string said;
  for (const CK_ATTRIBUTE_TYPE type : {CKA_EXTRACTABLE, CKA_SENSITIVE}) {
    pkcs11::Attributes changes;
    changes.no(CKA_TOKEN);
    type == CKA_EXTRACTABLE ? changes.yes(type) : changes.no(type);
    const auto copy = link_.objects().copy(material_, changes);
    if (copy && openness(link_, copy->handle())) return {Outcome::kSucceeded, {}};
    said = copy ? "C_CopyObject: a copy as hard as its original" : copy.error().text();
  }
  return {Outcome::kRefused, said};
}

Trial ForbiddenActs::derive_extractable() {
  pkcs11::Attributes attributes;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_AES)
      .number(CKA_VALUE_LEN, kDerivedKeySize)
      .no(CKA_TOKEN)
      .no(CKA_SENSITIVE)
      .yes(CKA_EXTRACTABLE);
  const auto data = derivation_data(Purpose::kMessage, kZeroSalt);
  const auto mechanism = pkcs11::Mechanism::ecb_encrypt_data(data);
  if (!mechanism) return {Outcome::kNotShown, mechanism.error().text()};
  const auto child = link_.objects().derive(*mechanism, material_, attributes);
  if (!child) return refused(child.error());
  return read_value(child->handle());
}

pkcs11::Result<ForbiddenActs::Wrapped> ForbiddenActs::wrap_material() {
  const Profile& profile = link_.profile();
  PKCS11_TRY_ASSIGN(SessionObject wrapping_key,
                    link_.objects().generate(
                        pkcs11::Mechanism::plain(CKM_AES_KEY_GEN),
                        custody_wrapping_key_template(profile, Residence::kSession,
                                                      throwaway_name(), "keyhold admission")));
  std::optional<pkcs11::Error> trouble;
  for (const CK_MECHANISM_TYPE type : wrap_mechanisms_of(profile)) {
    auto blob = generate_wrapped(link_, CKM_AES_KEY_GEN, generated_to_wrap_template(profile, {}),
                                 type, wrapping_key.handle());
    if (blob) return Wrapped{std::move(wrapping_key), std::move(*blob)};
    trouble = blob.error();
  }
  return *trouble;
}

Trial ForbiddenActs::wrap_unwrapped(const Wrapped& wrapped) {
  const auto key = token::unwrap(
      link_, wrapped.blob, wrapped.wrapping_key.handle(),
      unwrapped_to_use_template(link_.profile(), {}, throwaway_material(link_).construction));
  if (!key) return {Outcome::kNotShown, key.error().text()};
  for (const WrapMechanism& mechanism : wrap_mechanisms()) {
    if (token::wrap(link_, mechanism.type, wrapped.wrapping_key.handle(), key->handle())) {
      return {Outcome::kSucceeded, {}};
    }
  }
  if (openness(link_, key->handle()))
    return {Outcome::kSucceeded, "it is extractable or not sensitive"};
  return {Outcome::kRefused, "C_WrapKey: by no mechanism"};
}

Trial ForbiddenActs::decrypt_wrapped(const Wrapped& wrapped) {
  const auto blocks = ByteView(wrapped.blob).last(32);
  const auto mechanism = pkcs11::Mechanism::plain(CKM_AES_ECB);
  Secret out(blocks.size());
  const auto decrypted = link_.on_session([&](pkcs11::Session& session) {
    return pkcs11::decrypt_into(session, mechanism, wrapped.wrapping_key.handle(), blocks,
                                {out.data(), out.size()});
  });
  if (decrypted) return {Outcome::kSucceeded, {}};
  return judged(decrypted.error());
}

Trial ForbiddenActs::unwrap_readable(const Wrapped& wrapped) {
  pkcs11::Attributes attributes =
      unwrapped_to_wrap_template(link_.profile(), {}, throwaway_material(link_).construction);
  attributes.no(CKA_SENSITIVE);
  const auto key = token::unwrap(link_, wrapped.blob, wrapped.wrapping_key.handle(), attributes);
  if (!key) return refused(key.error());
  return read_value(key->handle());
}

}  // namespace keyhold::token
