#include "token/key_template.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "token/construction.h"
#include "token/key_kind.h"
#include "token/public_key.h"

namespace keyhold::token {
namespace {

constexpr CK_ATTRIBUTE_TYPE kUsages[] = {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN,  CKA_VERIFY,
                                         CKA_WRAP,    CKA_UNWRAP,  CKA_DERIVE};

pkcs11::Attributes aes_key(const Profile& profile, Residence residence,
                           std::initializer_list<CK_ATTRIBUTE_TYPE> usages,
                           CK_MECHANISM_TYPE mechanism) {
  pkcs11::Attributes attributes;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_AES)
      .number(CKA_VALUE_LEN, kDerivedKeySize);
  residence == Residence::kToken ? attributes.yes(CKA_TOKEN) : attributes.no(CKA_TOKEN);
  attributes.yes(CKA_PRIVATE).yes(CKA_SENSITIVE).no(CKA_EXTRACTABLE);
  for (const CK_ATTRIBUTE_TYPE usage : kUsages) attributes.no(usage);
  for (const CK_ATTRIBUTE_TYPE usage : usages) attributes.yes(usage);
  attributes.mechanisms(CKA_ALLOWED_MECHANISMS, {mechanism}).no(CKA_COPYABLE).no(CKA_MODIFIABLE);
  for (const AttributeType type : profile.template_drop) attributes.remove(type);
  return attributes;
}

/// Puts the object's name and label before CKA_MODIFIABLE.
pkcs11::Attributes named(pkcs11::Attributes attributes, ByteView id, std::string_view label) {
  const bool fixed = attributes.has(CKA_MODIFIABLE);
  attributes.remove(CKA_MODIFIABLE).bytes(CKA_ID, id).text(CKA_LABEL, label);
  if (fixed) attributes.no(CKA_MODIFIABLE);
  return attributes;
}

void reside(pkcs11::Attributes& attributes, Residence residence) {
  residence == Residence::kToken ? attributes.yes(CKA_TOKEN) : attributes.no(CKA_TOKEN);
}

/// The usages that a class of objects knows: tokens refuse others in a template.
constexpr CK_ATTRIBUTE_TYPE kPrivateUsages[] = {CKA_DECRYPT, CKA_SIGN, CKA_SIGN_RECOVER, CKA_UNWRAP,
                                                CKA_DERIVE};
constexpr CK_ATTRIBUTE_TYPE kPublicUsages[] = {CKA_ENCRYPT, CKA_VERIFY, CKA_VERIFY_RECOVER,
                                               CKA_WRAP, CKA_DERIVE};

/// The attributes that make a public half what its spec says.
pkcs11::Attributes public_key_head(KeySpec spec) {
  const KeySpecRow& row = row_of(spec);
  pkcs11::Attributes attributes;
  attributes.number(CKA_CLASS, CKO_PUBLIC_KEY).number(CKA_KEY_TYPE, find_kind(row.form)->type);
  const ByteView curve = curve_parameters(spec);
  if (!curve.empty()) {
    attributes.bytes(CKA_EC_PARAMS, curve);
  } else if (row.form == KeyForm::kRsa) {
    constexpr std::array<std::uint8_t, 3> kExponent = {1, 0, 1};
    attributes.number(CKA_MODULUS_BITS, static_cast<CK_ULONG>(row.bits))
        .bytes(CKA_PUBLIC_EXPONENT, kExponent);
  } else if (row.form == KeyForm::kMlDsa) {
    attributes.number(pkcs11::kParameterSet, parameter_set(spec));
  }
  return attributes;
}

/// What the usage of a kind of key asks of its private or secret half.
CK_ATTRIBUTE_TYPE usage_of(MaterialKind kind) {
  return find_kind(row_of(algorithms_of(kind.spec, kind.usage).front()))->usage;
}

/// Puts into a public half what undoes its private half's usage, and no other.
void set_counterpart(pkcs11::Attributes& shown, CK_ATTRIBUTE_TYPE usage) {
  for (const CK_ATTRIBUTE_TYPE type : kPublicUsages) shown.no(type);
  if (usage == CKA_SIGN) shown.yes(CKA_VERIFY);
  if (usage == CKA_DECRYPT) shown.yes(CKA_ENCRYPT);
}

void drop(const Profile& profile, pkcs11::Attributes& attributes) {
  for (const AttributeType type : profile.template_drop) attributes.remove(type);
}

}  // namespace

pkcs11::Attributes hmac_key_template(const Profile& profile, Residence residence, MaterialKind kind,
                                     ByteView id, std::string_view label) {
  pkcs11::Attributes attributes;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, hmac_key_type(profile, kind.spec))
      .number(CKA_VALUE_LEN, static_cast<CK_ULONG>(row_of(kind.spec).bits / 8));
  reside(attributes, residence);
  attributes.yes(CKA_PRIVATE).yes(CKA_SENSITIVE).no(CKA_EXTRACTABLE);
  for (const CK_ATTRIBUTE_TYPE usage : kUsages) attributes.no(usage);
  attributes.yes(usage_of(kind))
      .mechanisms(CKA_ALLOWED_MECHANISMS, mechanisms_of(kind, Custody::kResident))
      .bytes(CKA_ID, id)
      .text(CKA_LABEL, label)
      .no(CKA_COPYABLE)
      .no(CKA_MODIFIABLE);
  drop(profile, attributes);
  return attributes;
}

pkcs11::Attributes secret_template(const Profile& profile, Residence residence, MaterialKind kind,
                                   ByteView id, std::string_view label) {
  return row_of(kind.spec).form == KeyForm::kAes
             ? material_template(profile, residence, id, label)
             : hmac_key_template(profile, residence, kind, id, label);
}

PairTemplates pair_templates(const Profile& profile, Residence residence, MaterialKind kind,
                             Custody custody, ByteView id, std::string_view label) {
  PairTemplates templates{public_key_head(kind.spec), {}};
  pkcs11::Attributes& shown = templates.public_key;
  reside(shown, residence);
  shown.no(CKA_PRIVATE);
  set_counterpart(shown, usage_of(kind));
  shown.bytes(CKA_ID, id).text(CKA_LABEL, label).no(CKA_COPYABLE).no(CKA_MODIFIABLE);

  pkcs11::Attributes& hidden = templates.private_key;
  hidden.number(CKA_CLASS, CKO_PRIVATE_KEY)
      .number(CKA_KEY_TYPE, find_kind(row_of(kind.spec).form)->type);
  reside(hidden, residence);
  hidden.yes(CKA_PRIVATE).yes(CKA_SENSITIVE).no(CKA_EXTRACTABLE);
  for (const CK_ATTRIBUTE_TYPE usage : kPrivateUsages) hidden.no(usage);
  hidden.yes(usage_of(kind))
      .mechanisms(CKA_ALLOWED_MECHANISMS, mechanisms_of(kind, custody))
      .bytes(CKA_ID, id)
      .text(CKA_LABEL, label)
      .no(CKA_COPYABLE)
      .no(CKA_MODIFIABLE);
  drop(profile, shown);
  drop(profile, hidden);
  return templates;
}

PairTemplates wrapping_key_templates(const Profile& profile, Residence residence, KeySpec spec,
                                     Place place, ByteView id, std::string_view label) {
  PairTemplates templates{public_key_head(spec), {}};
  pkcs11::Attributes& shown = templates.public_key;
  reside(shown, residence);
  shown.no(CKA_PRIVATE);
  for (const CK_ATTRIBUTE_TYPE usage : kPublicUsages) shown.no(usage);
  shown.bytes(CKA_ID, id).text(CKA_LABEL, label).no(CKA_COPYABLE).no(CKA_MODIFIABLE);

  pkcs11::Attributes& hidden = templates.private_key;
  hidden.number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_RSA);
  reside(hidden, residence);
  hidden.yes(CKA_PRIVATE).yes(CKA_SENSITIVE).no(CKA_EXTRACTABLE);
  for (const CK_ATTRIBUTE_TYPE usage : kPrivateUsages) hidden.no(usage);
  if (place == Place::kToken) {
    pkcs11::Attributes unwrapped;
    unwrapped.yes(CKA_SENSITIVE).no(CKA_EXTRACTABLE);
    hidden.yes(CKA_UNWRAP)
        .mechanisms(CKA_ALLOWED_MECHANISMS, {CKM_RSA_PKCS_OAEP})
        .nested(CKA_UNWRAP_TEMPLATE, std::move(unwrapped));
  } else {
    hidden.yes(CKA_DECRYPT).mechanisms(CKA_ALLOWED_MECHANISMS, {CKM_RSA_X_509});
  }
  hidden.bytes(CKA_ID, id).text(CKA_LABEL, label).no(CKA_COPYABLE).no(CKA_MODIFIABLE);
  drop(profile, shown);
  drop(profile, hidden);
  return templates;
}

pkcs11::Attributes unwrapping_key_template(const Profile& profile,
                                           std::span<const CK_MECHANISM_TYPE> mechanisms) {
  pkcs11::Attributes attributes;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
  reside(attributes, Residence::kSession);
  attributes.yes(CKA_PRIVATE).yes(CKA_SENSITIVE).no(CKA_EXTRACTABLE);
  for (const CK_ATTRIBUTE_TYPE usage : kUsages) attributes.no(usage);
  attributes.yes(CKA_UNWRAP).mechanisms(CKA_ALLOWED_MECHANISMS, mechanisms);
  drop(profile, attributes);
  return attributes;
}

pkcs11::Attributes unwrapped_material_template(const Profile& profile, MaterialKind kind,
                                               Custody custody) {
  pkcs11::Attributes attributes =
      is_pair(kind.spec)
          ? pair_templates(profile, Residence::kSession, kind, custody, {}, {}).private_key
          : secret_template(profile, Residence::kSession, kind, {}, {});
  for (const CK_ATTRIBUTE_TYPE type :
       {CKA_VALUE_LEN, CKA_ID, CKA_LABEL, CKA_COPYABLE, CKA_MODIFIABLE}) {
    attributes.remove(type);
  }
  return attributes;
}

pkcs11::Attributes custody_wrapping_key_template(const Profile& profile, Residence residence,
                                                 ByteView id, std::string_view label) {
  pkcs11::Attributes attributes;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_AES)
      .number(CKA_VALUE_LEN, kDerivedKeySize);
  reside(attributes, residence);
  attributes.yes(CKA_PRIVATE).yes(CKA_SENSITIVE).no(CKA_EXTRACTABLE);
  for (const CK_ATTRIBUTE_TYPE usage : kUsages) attributes.no(usage);
  attributes.yes(CKA_WRAP)
      .yes(CKA_UNWRAP)
      .mechanisms(CKA_ALLOWED_MECHANISMS, wrap_mechanisms_of(profile));
  if (profile.sensitive_with_extractable == SensitiveWithExtractable::kYes) {
    // Not CKA_EXTRACTABLE, without which nothing could be wrapped anew.
    pkcs11::Attributes unwrapped;
    unwrapped.yes(CKA_SENSITIVE);
    attributes.nested(CKA_UNWRAP_TEMPLATE, std::move(unwrapped));
  }
  attributes.bytes(CKA_ID, id).text(CKA_LABEL, label).no(CKA_COPYABLE).no(CKA_MODIFIABLE);
  drop(profile, attributes);
  return attributes;
}

pkcs11::Attributes custody_sealing_key_template(const Profile& profile, Residence residence,
                                                ByteView id, std::string_view label) {
  return hmac_key_template(profile, residence, kSealingKind, id, label);
}

namespace {

void make_extractable(const Profile& profile, pkcs11::Attributes& attributes) {
  attributes.yes(CKA_EXTRACTABLE);
  if (profile.sensitive_with_extractable == SensitiveWithExtractable::kNo) {
    attributes.no(CKA_SENSITIVE);
  }
}

pkcs11::Attributes unwrapped_secret(const Profile& profile, MaterialKind kind,
                                    Construction construction) {
  constexpr auto kSession = Residence::kSession;
  pkcs11::Attributes attributes = construction == Construction::kNative
                                      ? hmac_key_template(profile, kSession, kind, {}, {})
                                  : construction == Construction::kDirect
                                      ? direct_material_template(profile, kSession, {}, {})
                                      : derived_material_template(profile, kSession, {}, {});
  for (const CK_ATTRIBUTE_TYPE type :
       {CKA_VALUE_LEN, CKA_ID, CKA_LABEL, CKA_COPYABLE, CKA_MODIFIABLE}) {
    attributes.remove(type);
  }
  return attributes;
}

}  // namespace

pkcs11::Attributes generated_to_wrap_template(const Profile& profile, MaterialKind kind) {
  pkcs11::Attributes attributes = secret_template(profile, Residence::kSession, kind, {}, {});
  attributes.remove(CKA_ID).remove(CKA_LABEL);
  make_extractable(profile, attributes);
  return attributes;
}

pkcs11::Attributes unwrapped_to_wrap_template(const Profile& profile, MaterialKind kind,
                                              Construction construction) {
  pkcs11::Attributes attributes = unwrapped_secret(profile, kind, construction);
  make_extractable(profile, attributes);
  return attributes;
}

pkcs11::Attributes unwrapped_to_use_template(const Profile& profile, MaterialKind kind,
                                             Construction construction) {
  pkcs11::Attributes attributes = unwrapped_secret(profile, kind, construction);
  attributes.no(CKA_COPYABLE).no(CKA_MODIFIABLE);
  drop(profile, attributes);
  return attributes;
}

Construction construction_of(const Profile& profile, MaterialKind kind) {
  if (row_of(kind.spec).form != KeyForm::kAes) return Construction::kNative;
  return profile.derivation == Derivation::kEcb ? Construction::kEcbDerived : Construction::kDirect;
}

pkcs11::Attributes kept_material_template(const Profile& profile, ByteView id,
                                          std::string_view label) {
  pkcs11::Attributes attributes;
  reside(attributes, Residence::kToken);
  // Copies of what is not modifiable are refused, so that this forbids further ones too.
  attributes.bytes(CKA_ID, id).text(CKA_LABEL, label).no(CKA_MODIFIABLE);
  drop(profile, attributes);
  return attributes;
}

PairTemplates data_key_pair_templates(KeySpec spec) {
  PairTemplates templates{public_key_head(spec), {}};
  templates.public_key.no(CKA_TOKEN).no(CKA_PRIVATE);
  templates.private_key.number(CKA_CLASS, CKO_PRIVATE_KEY)
      .number(CKA_KEY_TYPE, find_kind(row_of(spec).form)->type)
      .no(CKA_TOKEN)
      .yes(CKA_PRIVATE)
      .no(CKA_SENSITIVE)
      .yes(CKA_EXTRACTABLE);
  return templates;
}

pkcs11::Attributes shared_secret_template(std::size_t size) {
  pkcs11::Attributes attributes;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
      .number(CKA_VALUE_LEN, static_cast<CK_ULONG>(size))
      .no(CKA_TOKEN)
      .yes(CKA_PRIVATE)
      .no(CKA_SENSITIVE)
      .yes(CKA_EXTRACTABLE);
  return attributes;
}

pkcs11::Attributes derived_material_template(const Profile& profile, Residence residence,
                                             ByteView id, std::string_view label) {
  return named(aes_key(profile, residence, {CKA_DERIVE}, CKM_AES_ECB_ENCRYPT_DATA), id, label);
}

pkcs11::Attributes direct_material_template(const Profile& profile, Residence residence,
                                            ByteView id, std::string_view label) {
  return named(aes_key(profile, residence, {CKA_ENCRYPT, CKA_DECRYPT}, CKM_AES_GCM), id, label);
}

pkcs11::Attributes material_template(const Profile& profile, Residence residence, ByteView id,
                                     std::string_view label) {
  return profile.derivation == Derivation::kEcb
             ? derived_material_template(profile, residence, id, label)
             : direct_material_template(profile, residence, id, label);
}

pkcs11::Attributes message_key_template(const Profile& profile) {
  pkcs11::Attributes attributes =
      aes_key(profile, Residence::kSession, {CKA_ENCRYPT, CKA_DECRYPT}, CKM_AES_GCM);
  if (profile.message_key_objects == MessageKeyObjects::kPublic && attributes.has(CKA_PRIVATE)) {
    attributes.no(CKA_PRIVATE);
  }
  return attributes;
}

pkcs11::Attributes mac_key_template(const Profile& profile) {
  return aes_key(profile, Residence::kSession, {CKA_SIGN}, CKM_AES_CMAC);
}

}  // namespace keyhold::token
