// Key material in tokens, in KMS's terms: what kms asks of a key store. One Token stands for one
// configured PKCS#11 token; it owns login, sessions, recovery, message keys and every template.
//
// Key material is named by ObjectName (its CKA_ID), never by a handle. Its value is never outside
// the token. All calls are synchronous, bounded by the profile's deadlines, and safe from many
// threads.
//
// Errors: kKeyUnavailable while the token is away or recovering (answered fast); kKmsInternal for
// an object that is missing or fails its check value, and for what the token refuses although its
// admission said otherwise; kDependencyTimeout where a deadline passed before anything was done;
// kInvalidCiphertext (no message) for what the caller brought. A token's own words are in the
// error's detail.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/algorithm.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/vocabulary.h"

namespace keyhold::token {

class PublicKey;  // token/public_key.h

/// What a key material is for: it decides how the object is made and what it can do.
struct MaterialKind {
  KeySpec spec = KeySpec::kSymmetricDefault;
  KeyUsage usage = KeyUsage::kEncryptDecrypt;

  bool operator==(const MaterialKind&) const = default;
};

/// Key material of wrapped custody as it is outside of the token, where nobody can read it.
struct WrappedForm {
  ObjectName custody_key;  ///< under which it is wrapped
  Bytes blob;              ///< how it was wrapped, and what came of it
  /// A MAC under the custody key's sealing key over the blob and all that identifies the material,
  /// so that no blob passes for another's.
  Bytes seal;

  bool operator==(const WrappedForm&) const = default;
};

/// What materials of wrapped custody are wrapped and sealed under: two secret keys of the token
/// under one name, as the store knows them.
struct CustodyKey {
  ObjectName object_name;
  /// What proves that the objects behind the name are still the keys that were made.
  Bytes check_value;
};

/// A key material as the store knows it, and so as it may be used.
struct Material {
  ObjectName object_name;
  Construction construction = Construction::kEcbDerived;
  /// What proves that the object behind the name is still the key that was made.
  Bytes check_value;
  /// Bound into each ciphertext's header tag: who these messages belong to (for KMS keys the key id
  /// and the key material id, length-prefixed). Any bytes, the same for the life of the material.
  Bytes subject;
  MaterialKind kind{};
  Custody custody = Custody::kResident;
  /// Of a pair; its fingerprint is the check value.
  std::shared_ptr<const PublicKey> public_key{};
  /// Of wrapped custody, and of no other.
  std::shared_ptr<const WrappedForm> wrapped{};
};

/// What a new material was made as.
struct GeneratedMaterial {
  Construction construction = Construction::kEcbDerived;
  Bytes check_value;
  Custody custody = Custody::kResident;
  Bytes public_key{};                    ///< SubjectPublicKeyInfo in DER; empty for what is no pair
  std::optional<WrappedForm> wrapped{};  ///< of wrapped custody
};

/// A key pair of the token under whose public half key material comes, as the store knows it.
struct WrappingKey {
  ObjectName object_name;
  KeySpec spec = KeySpec::kRsa2048;
  WrappingAlgorithm algorithm = WrappingAlgorithm::kRsaesOaepSha1;
};

/// Key material that has come and that nobody has decided about yet: a session object, gone with
/// its last owner or with the process.
class UnwrappedMaterial {
 public:
  virtual ~UnwrappedMaterial() = default;
  virtual const GeneratedMaterial& made() const = 0;
  /// What the material computes of a fixed input: the same for the same material, whenever it comes
  /// to the same token.
  virtual ByteView fingerprint() const = 0;
};
using UnwrappedMaterialPtr = std::shared_ptr<const UnwrappedMaterial>;

/// A pair for use outside: SubjectPublicKeyInfo and PKCS#8 PrivateKeyInfo, in DER.
struct DataKeyPair {
  Bytes public_key;
  Secret private_key;
};

/// What the token itself says of an object, read back: an attribute it does not show stays empty
/// and must be reported as "not shown", never as ok.
struct ObjectEvidence {
  std::optional<bool> local;
  std::optional<bool> sensitive;
  std::optional<bool> always_sensitive;
  std::optional<bool> extractable;
  std::optional<bool> never_extractable;
  std::optional<std::uint64_t> key_gen_mechanism;
  std::string label;
};

/// What the token says of a material of wrapped custody: of the key that wraps it, and of the
/// session object that it is unwrapped to.
struct WrappedEvidence {
  ObjectEvidence wrapping_key;
  ObjectEvidence unwrapped;
};

/// A token object found by listing.
struct ListedObject {
  Bytes id;  ///< its CKA_ID, of any length
  std::string label;
};

/// The token behind a Token.
struct TokenIdentity {
  std::string label;
  std::string serial;
  std::string manufacturer;
  std::string model;
};

/// A key that encrypts messages of one material: a session object derived from it under one salt
/// (or the material itself, where the token cannot derive; salt and header tag are empty then).
/// Shared by the calls that use it; the last one to let go allows its object to be destroyed.
class MessageKey {
 public:
  virtual ~MessageKey() = default;
  virtual Construction construction() const = 0;
  virtual ByteView salt() const = 0;
  /// 16 bytes of CMAC over subject and salt under the material's header key.
  virtual ByteView header_tag() const = 0;
};
using MessageKeyPtr = std::shared_ptr<const MessageKey>;

inline constexpr std::size_t kGcmIvSize = 12;     ///< of IVs that the service makes
inline constexpr std::size_t kMaxGcmIvSize = 16;  ///< of those that tokens make
/// Whether messages may have IVs of that many bytes.
inline constexpr bool is_iv_size(std::size_t size) {
  return size == kGcmIvSize || size == kMaxGcmIvSize;
}
inline constexpr std::size_t kGcmTagSize = 16;

class Token {
 public:
  virtual ~Token() = default;

  virtual TokenIdentity identity() const = 0;

  // What the token can do, as it was seen to when it was opened.
  /// kUnsupportedOperation, with a sentence that names what the token lacks, for a kind of key that
  /// it cannot make or use.
  virtual Result<void> check_kind(MaterialKind kind) const = 0;
  /// The same for pairs that leave.
  virtual Result<void> check_data_key_pair(KeySpec spec) const = 0;
  /// The same for an algorithm and a material of that kind and custody.
  virtual Result<void> check_algorithm(MaterialKind kind, Custody custody,
                                       Algorithm algorithm) const = 0;

  // Key material.
  /// Generates key material of that kind under that name (of a pair, both objects), syncs what the
  /// profile says must be synced, reads its attributes back and proves a use of it. After an error
  /// the name must not be used for another attempt; an object may or may not exist under it.
  virtual Result<GeneratedMaterial> generate_material(const ObjectName& name,
                                                      std::string_view label,
                                                      MaterialKind kind) = 0;
  /// Looks for what an interrupted generate_material left: the material, if exactly the objects of
  /// one attempt have that name and prove to be a whole key; nothing otherwise.
  virtual Result<std::optional<GeneratedMaterial>> adopt_material(const ObjectName& name,
                                                                  MaterialKind kind) = 0;
  /// Compares the object behind the name with the material's check value, in the token.
  virtual Result<void> check_material(const Material& material) = 0;
  /// Destroys every object of that name; success also if there was none.
  virtual Result<void> destroy_material(const ObjectName& name) = 0;
  virtual Result<ObjectEvidence> evidence(const ObjectName& name) = 0;
  /// Every key object in the token, zombies included.
  virtual Result<std::vector<ListedObject>> list_objects() = 0;

  // Key material of wrapped custody: generated in the token and wrapped there at once. It has no
  // object of its name; destroy_material() lets go of what it was unwrapped to.
  /// How new materials of that kind are held, by the profile: pairs are never wrapped.
  virtual Custody custody(MaterialKind kind) const = 0;
  /// Makes a custody key under that name, proves and syncs it; answers its check value. After an
  /// error objects may or may not exist.
  virtual Result<Bytes> generate_custody_key(const ObjectName& name) = 0;
  /// Compares the objects behind the name with the check value, in the token.
  virtual Result<void> check_custody_key(const CustodyKey& key) = 0;
  /// Generates key material of that kind, for use under that name and subject, and proves a use of
  /// what is unwrapped again. Nothing of it is left in the token that could leave it.
  virtual Result<GeneratedMaterial> generate_wrapped_material(const CustodyKey& key,
                                                              const ObjectName& name,
                                                              MaterialKind kind,
                                                              ByteView subject) = 0;
  /// Wraps it anew under another custody key, and proves that the same material comes of it.
  virtual Result<WrappedForm> rewrap_material(const Material& material, const CustodyKey& key) = 0;
  virtual Result<WrappedEvidence> wrapped_evidence(const Material& material) = 0;

  // Key material from outside.
  /// kUnsupportedOperation, with a sentence that names what the token lacks, for a material of that
  /// kind and a way to bring it. Of a way alone: whatever the material is.
  virtual Result<void> check_import(MaterialKind kind, WrappingAlgorithm algorithm) const = 0;
  /// Makes a wrapping key, which can do what its algorithm needs and nothing else, under its name;
  /// answers its SubjectPublicKeyInfo in DER. After an error objects may or may not exist.
  virtual Result<Bytes> generate_wrapping_key(const WrappingKey& wrapping_key) = 0;
  /// Unwraps key material and proves that it is of that kind: kInvalidCiphertext (no message) for
  /// what does not unwrap, kIncorrectKeyMaterial for what is of another kind. Where the profile
  /// lets the service remove the padding, the answer's custody says so.
  virtual Result<UnwrappedMaterialPtr> unwrap_material(const WrappingKey& wrapping_key,
                                                       MaterialKind kind, ByteView wrapped) = 0;
  /// Copies it to the token under that name, as generate_material makes one, and proves the copy.
  virtual Result<void> keep_material(const UnwrappedMaterial& material, const ObjectName& name,
                                     std::string_view label) = 0;

  // Messages.
  /// The message key to encrypt with now. Before a process first uses a material, its check value
  /// is compared.
  virtual Result<MessageKeyPtr> encryption_key(const Material& material) = 0;
  /// The message key of a ciphertext. The header tag is verified before an unknown salt is derived,
  /// so that a forged header costs no derivation and no memory: kInvalidCiphertext.
  virtual Result<MessageKeyPtr> decryption_key(const Material& material, ByteView salt,
                                               ByteView header_tag) = 0;
  /// How many bytes the IVs of this token's messages have.
  virtual std::size_t iv_size() const = 0;
  /// AES-256-GCM; answers ciphertext followed by the 16-byte tag. `iv` (iv_size() bytes) is what to
  /// encrypt under; where the token makes its own, that one stands there afterwards.
  virtual Result<Bytes> encrypt(const MessageKey& key, std::span<std::uint8_t> iv, ByteView aad,
                                ByteView plaintext) = 0;
  virtual Result<Secret> decrypt(const MessageKey& key, ByteView iv, ByteView aad,
                                 ByteView ciphertext_and_tag) = 0;

  // Keys that work by themselves. Each does what its kind is for; an algorithm of another kind is
  // kKmsInternal, since callers have compared the two. What is done with a public key alone is done
  // outside of the token, and answered while the token is away.
  /// A signature in AWS's form (ECDSA: DER), or the whole of an HMAC. The message's type and length
  /// are right for the algorithm.
  virtual Result<Bytes> sign(const Material& material, Algorithm algorithm,
                             const Message& message) = 0;
  /// kKmsInvalidSignature (no message) for what is not a signature of the message.
  virtual Result<void> verify(const Material& material, Algorithm algorithm, const Message& message,
                              ByteView signature) = 0;
  /// RSAES-OAEP. The plaintext is not longer than max_oaep_message().
  virtual Result<Bytes> encrypt_padded(const Material& material, Algorithm algorithm,
                                       ByteView plaintext) = 0;
  /// kInvalidCiphertext, always after the same work, for what does not decrypt.
  virtual Result<Secret> decrypt_padded(const Material& material, Algorithm algorithm,
                                        ByteView ciphertext) = 0;
  /// ECDH: the x coordinate, as long as the curve's. `point`: uncompressed, known to lie on the
  /// curve (peer_point()).
  virtual Result<Secret> agree(const Material& material, ByteView point) = 0;
  /// A new pair, of which the token keeps nothing.
  virtual Result<DataKeyPair> generate_data_key_pair(KeySpec spec) = 0;

  /// Random bytes from the token's generator.
  virtual Result<Secret> random(std::size_t size) = 0;

  /// Whether the token answers now: a cheap use that costs no login.
  virtual Result<void> check() = 0;
};

}  // namespace keyhold::token
