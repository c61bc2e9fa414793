// Every attribute template of every object that Keyhold makes in a token, by custody class. No
// template is written anywhere else, and attributes of a key are never changed afterwards.
//
// Each template states every usage attribute, because tokens take unstated ones for true, and
// CKA_MODIFIABLE comes last, because SoftHSM refuses what follows it when deriving.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "pkcs11/attributes.h"
#include "token/profile.h"

namespace keyhold::token {

enum class Residence : std::uint8_t { kToken, kSession };

/// Resident custody, for tokens that derive: AES-256, CKA_DERIVE and nothing else.
pkcs11::Attributes derived_material_template(const Profile& profile, Residence residence,
                                             ByteView id, std::string_view label);

/// Resident custody, for tokens that do not: AES-256, ENCRYPT and DECRYPT.
pkcs11::Attributes direct_material_template(const Profile& profile, Residence residence,
                                            ByteView id, std::string_view label);

/// The one of the two that the profile's materials are made with.
pkcs11::Attributes material_template(const Profile& profile, Residence residence, ByteView id,
                                     std::string_view label);

/// A message key: a derived session object, ENCRYPT and DECRYPT.
pkcs11::Attributes message_key_template(const Profile& profile);

/// A check key or a header key: a derived session object, SIGN (a CMAC is compared here, where the
/// comparison is known to take constant time).
pkcs11::Attributes mac_key_template(const Profile& profile);

}  // namespace keyhold::token
