// A PKCS#11 token as a Token.
#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "token/admission.h"
#include "token/profile.h"
#include "token/token.h"
#include "token/token_health.h"

namespace keyhold::token {

/// Owns the module, the one login, all sessions and all derived keys, and recovers by itself: a
/// thread of its own re-initialises the module when the token is gone and keeps trying, while calls
/// are answered with kKeyUnavailable at once. A PIN that the token refuses is tried once.
///
/// A module that is initialised again takes every token reached through it along, so one process
/// opens one Pkcs11Token per module.
class Pkcs11Token final : public Token {
 public:
  /// Loads the module, finds the token, logs in, tries what the token can do and what it refuses
  /// (admission), and indexes its objects. `clock` and `random` must outlive it. Sets the profile's
  /// module_env in this process's environment, so nothing may read that meanwhile.
  ///
  /// WhenAbsent::kWait: a token that is not there is no error. All this is done as soon as it
  /// comes; until then calls answer kKeyUnavailable, and identity() may be empty.
  ///
  /// Errors: kKeyUnavailable when the token is not there or refuses the PIN, kKmsInternal when it
  /// is not admitted; the detail names the act.
  static Result<std::unique_ptr<Pkcs11Token>> open(const Profile& profile, Secret pin,
                                                   const Clock& clock, Random& random,
                                                   WhenAbsent when_absent = WhenAbsent::kRefuse,
                                                   AdmissionRule rule = AdmissionRule::kEnforced);

  /// Finalises the module. No call may be running; message keys may still be held.
  ~Pkcs11Token() override;

  TokenIdentity identity() const override;
  Result<void> check_kind(MaterialKind kind) const override;
  Result<void> check_data_key_pair(KeySpec spec) const override;
  Result<void> check_algorithm(MaterialKind kind, Custody custody,
                               Algorithm algorithm) const override;
  Result<GeneratedMaterial> generate_material(const ObjectName& name, std::string_view label,
                                              MaterialKind kind) override;
  Result<std::optional<GeneratedMaterial>> adopt_material(const ObjectName& name,
                                                          MaterialKind kind) override;
  Result<void> check_material(const Material& material) override;
  Result<void> destroy_material(const ObjectName& name) override;
  Result<ObjectEvidence> evidence(const ObjectName& name) override;
  Result<std::vector<ListedObject>> list_objects() override;
  Custody custody(MaterialKind kind) const override;
  Result<Bytes> generate_custody_key(const ObjectName& name) override;
  Result<void> check_custody_key(const CustodyKey& key) override;
  Result<GeneratedMaterial> generate_wrapped_material(const CustodyKey& key, const ObjectName& name,
                                                      MaterialKind kind, ByteView subject) override;
  Result<WrappedForm> rewrap_material(const Material& material, const CustodyKey& key) override;
  Result<WrappedEvidence> wrapped_evidence(const Material& material) override;
  Result<void> check_import(MaterialKind kind, WrappingAlgorithm algorithm) const override;
  Result<Bytes> generate_wrapping_key(const WrappingKey& wrapping_key) override;
  Result<UnwrappedMaterialPtr> unwrap_material(const WrappingKey& wrapping_key, MaterialKind kind,
                                               ByteView wrapped) override;
  Result<void> keep_material(const UnwrappedMaterial& material, const ObjectName& name,
                             std::string_view label) override;
  Result<MessageKeyPtr> encryption_key(const Material& material) override;
  Result<MessageKeyPtr> decryption_key(const Material& material, ByteView salt,
                                       ByteView header_tag) override;
  std::size_t iv_size() const override;
  Result<Bytes> encrypt(const MessageKey& key, std::span<std::uint8_t> iv, ByteView aad,
                        ByteView plaintext) override;
  Result<Secret> decrypt(const MessageKey& key, ByteView iv, ByteView aad,
                         ByteView ciphertext_and_tag) override;
  Result<Bytes> sign(const Material& material, Algorithm algorithm,
                     const Message& message) override;
  Result<void> verify(const Material& material, Algorithm algorithm, const Message& message,
                      ByteView signature) override;
  Result<Bytes> encrypt_padded(const Material& material, Algorithm algorithm,
                               ByteView plaintext) override;
  Result<Secret> decrypt_padded(const Material& material, Algorithm algorithm,
                                ByteView ciphertext) override;
  Result<Secret> agree(const Material& material, ByteView point) override;
  Result<DataKeyPair> generate_data_key_pair(KeySpec spec) override;
  Result<Secret> random(std::size_t size) override;
  Result<void> check() override;

  /// The table of what it can do with each kind of key, in print: a line for each spec and
  /// algorithm; empty while the token was never there.
  std::string capabilities() const;

  /// What the token was seen to do and to refuse when it was first there.
  AdmissionReport admission() const;

  /// How the token is: costs no call of it, and no lock that a call holds.
  TokenHealth health() const;
  /// Waits until the token is there, for `patience` at most; whether it is.
  Available wait_until_available(std::chrono::milliseconds patience) const;

  struct Usage {
    std::uint64_t session_objects_made;    ///< in the life of the process
    std::uint64_t session_objects_living;  ///< now
    std::uint64_t message_keys_cached;
    std::uint64_t recoveries;         ///< times the module was initialised again with success
    std::size_t sessions;             ///< open in the token, the parked one and the owner included
    std::size_t unwrapped_materials;  ///< of wrapped custody, held now
  };
  Usage usage() const;

  /// Whether the process should be restarted soon, cleanly, because the module keeps memory for
  /// each session object ever made (profile: message_keys.session_object_limit).
  enum class Restart : std::uint8_t { kNotNeeded, kDue };
  Restart restart() const;

 private:
  class Impl;
  explicit Pkcs11Token(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyhold::token
