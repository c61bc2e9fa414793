// Mechanisms, and the parameters that go with them.
#pragma once

#include <memory>

#include "pkcs11/result.h"

namespace keyhold::pkcs11 {

/// A CK_MECHANISM that owns its parameters. Some tokens write into them (an IV of their own
/// making), so one Mechanism serves one call at a time; movable, and its C form does not move with
/// it.
class Mechanism {
 public:
  /// Without parameters: key generation, CKM_AES_CMAC, CKM_AES_KEY_WRAP, CKM_ECDSA, HMACs, …
  static Mechanism plain(CK_MECHANISM_TYPE type);

  /// CKM_AES_GCM. Refuses an empty IV, one of more than 256 bytes, and tags but 96, 104, … 128 bits
  /// (CKR_MECHANISM_PARAM_INVALID): modules take them, and encrypt without a tag.
  static Result<Mechanism> gcm(ByteView iv, ByteView aad, CK_ULONG tag_bits = 128);

  /// CKM_AES_GCM for encryption by a token that makes the IV and puts it, `iv_size` bytes, behind
  /// ciphertext and tag.
  static Result<Mechanism> gcm_with_iv_behind(std::size_t iv_size, ByteView aad,
                                              CK_ULONG tag_bits = 128);

  /// CKM_AES_ECB_ENCRYPT_DATA: derivation of the encryption of `data`, whose length must be a
  /// non-zero multiple of 16 (CKR_MECHANISM_PARAM_INVALID).
  static Result<Mechanism> ecb_encrypt_data(ByteView data);

  /// CKM_AES_KEY_WRAP or one of its kin, with an initial value that is handed over; without one, as
  /// plain() makes it, the module takes the standard's.
  static Mechanism aes_key_wrap(ByteView iv, CK_MECHANISM_TYPE type = CKM_AES_KEY_WRAP);

  /// CKM_RSA_PKCS_OAEP with MGF1 over the same hash (CKM_SHA_1, CKM_SHA256, CKM_SHA384, CKM_SHA512;
  /// others CKR_MECHANISM_PARAM_INVALID) and a label, mostly empty.
  static Result<Mechanism> oaep(CK_MECHANISM_TYPE hash, ByteView label = {});

  /// PSS with MGF1 over the same hash. `type` is CKM_RSA_PKCS_PSS or one with a hash in its name.
  static Result<Mechanism> pss(CK_MECHANISM_TYPE type, CK_MECHANISM_TYPE hash,
                               CK_ULONG salt_length);

  /// CKM_ECDH1_DERIVE with CKD_NULL. `peer_point` as the token wants it: raw (0x04‖X‖Y) or in a DER
  /// OCTET STRING; not empty (CKR_MECHANISM_PARAM_INVALID).
  static Result<Mechanism> ecdh(ByteView peer_point);

  /// CKM_EDDSA for Ed25519ph with an empty context (PKCS#11 3.0, section 2.3.14); without
  /// parameters, as plain() makes it, CKM_EDDSA is Ed25519. Modules are known that ignore the
  /// parameters and answer success.
  static Mechanism ed25519ph();

  Mechanism(Mechanism&&) noexcept;
  Mechanism& operator=(Mechanism&&) noexcept;
  ~Mechanism();

  CK_MECHANISM* get() const;
  CK_MECHANISM_TYPE type() const { return get()->mechanism; }

  /// The IV as it stands now, for tokens that make their own; empty but for GCM.
  ByteView iv() const;

  /// A length of output that encrypting `input` bytes will not exceed.
  std::size_t output_capacity(std::size_t input) const;

 private:
  struct State;
  explicit Mechanism(CK_MECHANISM_TYPE type);
  std::unique_ptr<State> state_;
};

}  // namespace keyhold::pkcs11
