// Every attribute template of every object that Keyhold makes in a token, by custody class. No
// template is written anywhere else, and attributes of a key are never changed afterwards.
//
// Each template states every usage attribute, because tokens take unstated ones for true, and
// CKA_MODIFIABLE comes last, because SoftHSM refuses what follows it when deriving.
#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"
#include "pkcs11/attributes.h"
#include "token/capability.h"
#include "token/profile.h"
#include "token/token.h"

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

// Keys that work by themselves, resident and host-staged: what only the private or the secret key
// can do is what its usage says, and by the mechanisms of its algorithms.

/// HMAC keys: as long as their hash (FIPS 198-1, section 3), SIGN alone. MACs are compared here,
/// where the comparison is known to take constant time.
pkcs11::Attributes hmac_key_template(const Profile& profile, Residence residence, MaterialKind kind,
                                     ByteView id, std::string_view label);

/// The secret object of a kind of key that is no pair: one of the above.
pkcs11::Attributes secret_template(const Profile& profile, Residence residence, MaterialKind kind,
                                   ByteView id, std::string_view label);

/// An AES key under which key material comes: a session object, UNWRAP by those mechanisms. Without
/// CKA_VALUE_LEN, as tokens want it that unwrap.
pkcs11::Attributes unwrapping_key_template(const Profile& profile,
                                           std::span<const CK_MECHANISM_TYPE> mechanisms);

/// Imported key material as it is unwrapped: a session object like what is generated, but one that
/// can be copied. Without CKA_VALUE_LEN.
pkcs11::Attributes unwrapped_material_template(const Profile& profile, MaterialKind kind,
                                               Custody custody);

/// What makes its copy one of the token's.
pkcs11::Attributes kept_material_template(const Profile& profile, ByteView id,
                                          std::string_view label);

// Of wrapped custody. An extractable object lives inside of one step alone: generated (or
// unwrapped), wrapped, destroyed.

/// The wrapping key of a custody key: AES-256, WRAP and UNWRAP. What it unwraps cannot come out
/// readable where the token honours CKA_UNWRAP_TEMPLATE.
pkcs11::Attributes custody_wrapping_key_template(const Profile& profile, Residence residence,
                                                 ByteView id, std::string_view label);

/// The sealing key of a custody key: an HMAC-SHA-256 key.
pkcs11::Attributes custody_sealing_key_template(const Profile& profile, Residence residence,
                                                ByteView id, std::string_view label);

/// Key material as it is generated: a session object that can be wrapped.
pkcs11::Attributes generated_to_wrap_template(const Profile& profile, MaterialKind kind);
/// The same as it is unwrapped to be wrapped under another key. Without CKA_VALUE_LEN.
pkcs11::Attributes unwrapped_to_wrap_template(const Profile& profile, MaterialKind kind,
                                              Construction construction);

/// As it is unwrapped to be used: a session object like what is resident. Without CKA_VALUE_LEN. By
/// the construction that the material was made for, whatever the profile makes now.
pkcs11::Attributes unwrapped_to_use_template(const Profile& profile, MaterialKind kind,
                                             Construction construction);

/// What new materials of that kind are made for.
Construction construction_of(const Profile& profile, MaterialKind kind);

/// The two halves of a pair, under one CKA_ID. The public one may be read, and verify or encrypt
/// what its private half signs or decrypts: it is used outside of the token (but for Ed25519ph),
/// and tokens that try a new pair before they answer it (FIPS 140-3, pairwise consistency) do so by
/// these attributes.
struct PairTemplates {
  pkcs11::Attributes public_key;
  pkcs11::Attributes private_key;
};
PairTemplates pair_templates(const Profile& profile, Residence residence, MaterialKind kind,
                             Custody custody, ByteView id, std::string_view label);

/// A wrapping key: what its algorithm needs and nothing else. What it unwraps cannot come out
/// readable where the token honours CKA_UNWRAP_TEMPLATE. `place`: of the padding.
PairTemplates wrapping_key_templates(const Profile& profile, Residence residence, KeySpec spec,
                                     Place place, ByteView id, std::string_view label);

/// A data key pair: session objects that may be read, since they are made to leave.
PairTemplates data_key_pair_templates(KeySpec spec);

/// What ECDH answers: a session object that is read and destroyed.
pkcs11::Attributes shared_secret_template(std::size_t size);

/// A message key: a derived session object, ENCRYPT and DECRYPT.
pkcs11::Attributes message_key_template(const Profile& profile);

/// A check key or a header key: a derived session object, SIGN (a CMAC is compared here, where the
/// comparison is known to take constant time).
pkcs11::Attributes mac_key_template(const Profile& profile);

}  // namespace keyhold::token
