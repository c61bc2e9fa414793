#include "token/key_template.h"

#include <initializer_list>

#include "token/construction.h"

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

}  // namespace

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
  return aes_key(profile, Residence::kSession, {CKA_ENCRYPT, CKA_DECRYPT}, CKM_AES_GCM);
}

pkcs11::Attributes mac_key_template(const Profile& profile) {
  return aes_key(profile, Residence::kSession, {CKA_SIGN}, CKM_AES_CMAC);
}

}  // namespace keyhold::token
