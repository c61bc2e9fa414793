#include "token/pkcs11_token.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "token/admission_trial.h"
#include "token/capability_probe.h"
#include "token/custody_keys.h"
#include "token/data_key_pairs.h"
#include "token/imports.h"
#include "token/key_cache.h"
#include "token/materials.h"
#include "token/message_keys.h"
#include "token/native_keys.h"
#include "token/public_key.h"
#include "token/token_guard.h"
#include "token/token_link.h"
#include "token/token_objects.h"
#include "token/wrapped_materials.h"

namespace keyhold::token {
namespace {

Generation generation_of(KeySpec spec) { return row_of(row_of(spec).form).generation; }

}  // namespace

/// The parts put together: each call takes its place inside, then asks the part whose work it is.
class Pkcs11Token::Impl {
 public:
  Impl(std::unique_ptr<TokenLink> link, const Clock& clock, Random& random, AdmissionRule rule)
      : link_(std::move(link)),
        admission_rule_(rule),
        random_(random),
        cache_(link_->profile()),
        guard_(*link_, random,
               {[this] { forget_all(); }, [this] { return take_stock(); }, [this] { tick(); }}),
        objects_(*link_, guard_),
        custody_keys_(*link_, guard_, objects_, capabilities_, random),
        wrapped_(*link_, guard_, objects_, custody_keys_, capabilities_, random),
        materials_(*link_, guard_, objects_, cache_, wrapped_, capabilities_, random),
        imports_(*link_, guard_, objects_, materials_, capabilities_, random),
        keys_(*link_, guard_, materials_, cache_, clock, random),
        native_(*link_, guard_, objects_, wrapped_, capabilities_, clock, random),
        data_key_pairs_(*link_, guard_, objects_) {}

  ~Impl() {
    // Nothing may use the token from here on: first recovery ends, then the keys are let go.
    guard_.stop();
    forget_all();
  }

  Result<void> start(WhenAbsent when_absent) { return guard_.start(when_absent); }

  /// kKeyUnavailable while the token was never there.
  Result<const Capabilities*> capabilities() const {
    if (capable_.load(std::memory_order_acquire)) return &capabilities_;
    return unavailable("the token has not been there yet");
  }

  Result<GeneratedMaterial> generate_material(const ObjectName& name, std::string_view label,
                                              MaterialKind kind) {
    TRY_ASSIGN(const Inside inside, guard_.enter(generation_of(kind.spec)));
    return materials_.generate(inside, name, label, kind);
  }
  Result<std::optional<GeneratedMaterial>> adopt_material(const ObjectName& name,
                                                          MaterialKind kind) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return materials_.adopt(inside, name, kind);
  }
  Result<void> check_material(const Material& material) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    if (material.custody == Custody::kWrapped) return wrapped_.check(inside, material);
    if (material.construction == Construction::kNative) return native_.check(inside, material);
    TRY(materials_.open(inside, material));
    return {};
  }
  Result<void> destroy_material(const ObjectName& name) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    native_.forget(name);
    auto destroyed = materials_.destroy(inside, name);
    native_.forget(name);
    custody_keys_.forget(name);
    return destroyed;
  }

  Custody custody(MaterialKind kind) const {
    const bool wrapped = link_->profile().custody == MaterialCustody::kWrapped;
    if (wrapped && !is_pair(kind.spec)) return Custody::kWrapped;
    return capable_.load(std::memory_order_acquire) ? capabilities_.custody(kind)
                                                    : Custody::kResident;
  }
  Result<void> check_kind(MaterialKind kind) {
    TRY_ASSIGN(const Capabilities* able, capabilities());
    TRY(able->check_kind(kind));
    if (custody(kind) != Custody::kWrapped) return {};
    // Known since the token was taken stock of, so that nothing is asked of it here.
    TRY_ASSIGN(const WrappingCapability wraps, custody_keys_.wrapping());
    return wraps.check(kind);
  }
  Result<Bytes> generate_custody_key(const ObjectName& name) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return custody_keys_.generate(inside, name);
  }
  Result<void> check_custody_key(const CustodyKey& key) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return custody_keys_.check(inside, key);
  }
  Result<GeneratedMaterial> generate_wrapped_material(const CustodyKey& key, const ObjectName& name,
                                                      MaterialKind kind, ByteView subject) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return materials_.generate_wrapped(inside, key, name, kind, subject);
  }
  Result<WrappedForm> rewrap_material(const Material& material, const CustodyKey& key) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return wrapped_.rewrap(inside, material, key);
  }
  Result<WrappedEvidence> wrapped_evidence(const Material& material) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return wrapped_.evidence(inside, material);
  }
  Result<ObjectEvidence> evidence(const ObjectName& name) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return objects_.evidence(inside, name);
  }
  Result<std::vector<ListedObject>> list_objects() {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return objects_.list(inside);
  }

  Result<Bytes> generate_wrapping_key(const WrappingKey& wrapping_key) {
    TRY_ASSIGN(const Inside inside, guard_.enter(Generation::kSlow));
    return imports_.generate_wrapping_key(inside, wrapping_key);
  }
  Result<UnwrappedMaterialPtr> unwrap_material(const WrappingKey& wrapping_key, MaterialKind kind,
                                               ByteView wrapped) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return imports_.unwrap(inside, wrapping_key, kind, wrapped);
  }
  Result<void> keep_material(const UnwrappedMaterial& material, const ObjectName& name,
                             std::string_view label) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return imports_.keep(inside, material, name, label);
  }

  Result<MessageKeyPtr> encryption_key(const Material& material);
  Result<MessageKeyPtr> decryption_key(const Material& material, ByteView salt,
                                       ByteView header_tag);
  Result<Bytes> encrypt(const MessageKey& key, std::span<std::uint8_t> iv, ByteView aad,
                        ByteView plaintext);
  Result<Secret> decrypt(const MessageKey& key, ByteView iv, ByteView aad,
                         ByteView ciphertext_and_tag);
  Result<Bytes> sign(const Material& material, Algorithm algorithm, const Message& message) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return native_.sign(inside, material, algorithm, message);
  }
  Result<void> verify(const Material& material, Algorithm algorithm, const Message& message,
                      ByteView signature);
  Result<Bytes> encrypt_padded(const Material& material, Algorithm algorithm, ByteView plaintext);
  Result<Secret> decrypt_padded(const Material& material, Algorithm algorithm,
                                ByteView ciphertext) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return native_.decrypt(inside, material, algorithm, ciphertext);
  }
  Result<Secret> agree(const Material& material, ByteView point) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return native_.agree(inside, material, point);
  }
  Result<DataKeyPair> generate_data_key_pair(KeySpec spec) {
    TRY_ASSIGN(const Inside inside, guard_.enter(generation_of(spec)));
    return data_key_pairs_.generate(inside, spec);
  }
  Result<Secret> random(std::size_t size);
  Result<void> check() { return guard_.check(); }

  AdmissionReport admission() const {
    const std::lock_guard lock(admission_mutex_);
    return admission_.value_or(AdmissionReport());
  }
  TokenHealth health() const { return guard_.health(); }
  Available wait_until_available(std::chrono::milliseconds patience) const {
    return guard_.wait_until_available(patience);
  }
  const TokenLink& link() const { return *link_; }

  Usage usage() {
    return {link_->objects().made(), link_->objects().living(), cache_.message_keys(),
            guard_.recoveries(),     link_->open_sessions(),    wrapped_.held()};
  }

  Restart restart_due() const {
    const std::uint64_t limit = link_->profile().session_object_limit;
    return limit != 0 && link_->objects().made() >= limit ? Restart::kDue : Restart::kNotNeeded;
  }

 private:
  void tick();
  Result<void> take_stock();
  void forget_all() {
    cache_.forget_all();
    native_.forget_all();
    wrapped_.forget_all();
    custody_keys_.forget_all();
  }
  static const SessionKey& own(const MessageKey& key) {
    return static_cast<const SessionKey&>(key);
  }

  const std::unique_ptr<TokenLink> link_;
  const AdmissionRule admission_rule_;
  Random& random_;
  mutable std::mutex admission_mutex_;
  std::optional<AdmissionReport> admission_;  ///< nothing before the token was first there
  Capabilities capabilities_;                 ///< written once, before anybody is inside
  std::atomic<bool> capable_{false};          ///< that it was
  KeyCache cache_;
  TokenGuard guard_;
  TokenObjects objects_;
  CustodyKeys custody_keys_;
  WrappedMaterials wrapped_;
  Materials materials_;
  Imports imports_;
  MessageKeys keys_;
  NativeKeys native_;
  DataKeyPairMaker data_key_pairs_;
  std::atomic<bool> restart_said_{false};
};

void Pkcs11Token::Impl::tick() {
  link_->objects().collect();
  if (restart_due() == Restart::kDue && !restart_said_.exchange(true)) {
    log::warning("token: " + std::to_string(link_->objects().made()) +
                 " session objects were made, whose memory the module keeps: plan a restart");
  }
}

/// From recovery's thread, or before there is one; nobody is inside.
Result<void> Pkcs11Token::Impl::take_stock() {
  if (!admission_) {
    AdmissionReport report;
    if (admission_rule_ == AdmissionRule::kEnforced) {
      TRY_ASSIGN(report, try_admission(*link_, random_));
    } else {
      report = observe_admission(*link_, random_).report;
    }
    TRY_ASSIGN(capabilities_, probe_capabilities(*link_, random_));
    capabilities_.heed(report);
    if (link_->profile().custody == MaterialCustody::kWrapped) TRY(custody_keys_.wrapping());
    capable_.store(true, std::memory_order_release);
    const std::lock_guard lock(admission_mutex_);
    admission_ = std::move(report);
  }
  return objects_.index();
}

// -------------------------------------------------------------------------------------- messages

Result<MessageKeyPtr> Pkcs11Token::Impl::encryption_key(const Material& material) {
  TRY_ASSIGN(const Inside inside, guard_.enter());
  TRY_ASSIGN(SessionKeyPtr key, keys_.to_encrypt(inside, material));
  return MessageKeyPtr(std::move(key));
}

Result<MessageKeyPtr> Pkcs11Token::Impl::decryption_key(const Material& material, ByteView salt,
                                                        ByteView header_tag) {
  const bool derived = material.construction == Construction::kEcbDerived;
  if (salt.size() != (derived ? kEcbSaltSize : 0) ||
      header_tag.size() != (derived ? kCmacSize : 0)) {
    return invalid_ciphertext("salt or header tag has a wrong length");
  }
  TRY_ASSIGN(const Inside inside, guard_.enter());
  TRY_ASSIGN(SessionKeyPtr key, keys_.to_decrypt(inside, material, salt, header_tag));
  return MessageKeyPtr(std::move(key));
}

Result<Bytes> Pkcs11Token::Impl::encrypt(const MessageKey& message_key, std::span<std::uint8_t> iv,
                                         ByteView aad, ByteView plaintext) {
  const SessionKey* key = &own(message_key);
  if (!keys_.made(*key)) return internal("a message key of another token");
  if (iv.size() != link_->iv_size()) return internal("an IV has another length");
  TRY_ASSIGN(const Inside inside, guard_.enter());
  // encryption_key() renews a key in time. Whoever held on to one has another such number of
  // messages, and together they stay within the 2^32 of SP 800-38D.
  if (key->construction() != Construction::kDirect &&
      key->count_message() >= 2 * link_->profile().message_key_max_messages) {
    return internal("a message key was used for more messages than it is for");
  }
  SessionKeyPtr fresh;
  if (!link_->current(key->handle())) {
    TRY_ASSIGN(fresh, keys_.renewed(inside, *key));
    key = fresh.get();
  }
  auto ciphertext = link_->encrypt(key->handle(), iv, aad, plaintext);
  if (!ciphertext && ciphertext.error().handle_stale()) {
    TRY_ASSIGN(fresh, keys_.renewed(inside, *key));
    key = fresh.get();
    ciphertext = link_->encrypt(key->handle(), iv, aad, plaintext);
  }
  if (!ciphertext) return guard_.fail(inside, ciphertext.error(), "encrypting");
  if (ciphertext->size() != plaintext.size() + kGcmTagSize) {
    return internal("the token's ciphertext has a wrong length");
  }
  // Tokens have been seen to encrypt what nobody could decrypt, so the first message of each key
  // is decrypted before it is answered.
  if (!key->proven()) {
    const auto opened = link_->decrypt(key->handle(), iv, aad, *ciphertext);
    if (!opened) return guard_.fail(inside, opened.error(), "decrypting what was encrypted");
    if (!equal_in_constant_time(opened->view(), plaintext)) {
      return internal("the token encrypts what it does not decrypt");
    }
    key->set_proven();
  }
  guard_.no_doubt();
  return std::move(*ciphertext);
}

Result<Secret> Pkcs11Token::Impl::decrypt(const MessageKey& message_key, ByteView iv, ByteView aad,
                                          ByteView ciphertext_and_tag) {
  const SessionKey* key = &own(message_key);
  if (!keys_.made(*key)) return internal("a message key of another token");
  if (!is_iv_size(iv.size()) || ciphertext_and_tag.size() < kGcmTagSize) {
    return invalid_ciphertext("IV or ciphertext has a wrong length");
  }
  TRY_ASSIGN(const Inside inside, guard_.enter());
  SessionKeyPtr fresh;
  if (!link_->current(key->handle())) {
    TRY_ASSIGN(fresh, keys_.renewed(inside, *key));
    key = fresh.get();
  }
  auto plaintext = link_->decrypt(key->handle(), iv, aad, ciphertext_and_tag);
  if (!plaintext && plaintext.error().handle_stale()) {
    TRY_ASSIGN(fresh, keys_.renewed(inside, *key));
    key = fresh.get();
    plaintext = link_->decrypt(key->handle(), iv, aad, ciphertext_and_tag);
  }
  if (plaintext) {
    guard_.no_doubt();
    if (plaintext->size() + kGcmTagSize != ciphertext_and_tag.size()) {
      return internal("the token's plaintext has a wrong length");
    }
    return std::move(*plaintext);
  }
  if (link_->says_bad_ciphertext(plaintext.error())) {
    return keys_.judge(inside, *key, plaintext.error());
  }
  return guard_.fail(inside, plaintext.error(), "decrypting");
}

// ------------------------------------------------------------------------------------ public keys

namespace {

/// A public key is used as the store has it, so it must be the one that was proven.
Result<void> check_public_key(const Material& material) {
  if (material.public_key != nullptr &&
      equal_in_constant_time(material.public_key->fingerprint(), material.check_value)) {
    return {};
  }
  return internal("the public key of " + material.object_name.hex() +
                  " is not the one that its check value was taken of");
}

}  // namespace

Result<void> Pkcs11Token::Impl::verify(const Material& material, Algorithm algorithm,
                                       const Message& message, ByteView signature) {
  const AlgorithmRow& row = row_of(algorithm);
  if (!PublicKey::can_verify(row)) {
    TRY_ASSIGN(const Inside inside, guard_.enter());
    return native_.verify(inside, material, algorithm, message, signature);
  }
  TRY_ASSIGN(const Capabilities* able, capabilities());
  TRY(able->check_algorithm(material.kind, material.custody, algorithm));
  TRY(check_public_key(material));
  if (material.public_key->verify(row, message, signature) == PublicKey::Verdict::kValid) return {};
  return Error(ErrorCode::kKmsInvalidSignature);
}

Result<Bytes> Pkcs11Token::Impl::encrypt_padded(const Material& material, Algorithm algorithm,
                                                ByteView plaintext) {
  // What nobody could decrypt is not encrypted.
  TRY_ASSIGN(const Capabilities* able, capabilities());
  TRY(able->check_algorithm(material.kind, material.custody, algorithm));
  TRY(check_public_key(material));
  auto ciphertext = material.public_key->encrypt(row_of(algorithm), plaintext);
  if (!ciphertext) return internal("the public key does not encrypt");
  return std::move(*ciphertext);
}

// ----------------------------------------------------------------------------------------- random

Result<Secret> Pkcs11Token::Impl::random(std::size_t size) {
  TRY_ASSIGN(const Inside inside, guard_.enter());
  Secret bytes(size);
  if (size == 0) return bytes;
  const auto drawn = link_->random({bytes.data(), bytes.size()});
  if (!drawn) return guard_.fail(inside, drawn.error(), "drawing random bytes");
  return bytes;
}

// ------------------------------------------------------------------------------------ Pkcs11Token

Pkcs11Token::Pkcs11Token(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pkcs11Token::~Pkcs11Token() = default;

Result<std::unique_ptr<Pkcs11Token>> Pkcs11Token::open(const Profile& profile, Secret pin,
                                                       const Clock& clock, Random& random,
                                                       WhenAbsent when_absent, AdmissionRule rule) {
  TRY_ASSIGN(std::unique_ptr<TokenLink> link, TokenLink::open(profile, std::move(pin)));
  auto impl = std::make_unique<Impl>(std::move(link), clock, random, rule);
  TRY(impl->start(when_absent));
  return std::unique_ptr<Pkcs11Token>(new Pkcs11Token(std::move(impl)));
}

TokenIdentity Pkcs11Token::identity() const {
  const pkcs11::TokenInfo info = impl_->link().info();
  return {info.label, info.serial, info.manufacturer, info.model};
}
Result<void> Pkcs11Token::check_kind(MaterialKind kind) const { return impl_->check_kind(kind); }
Custody Pkcs11Token::custody(MaterialKind kind) const { return impl_->custody(kind); }
Result<Bytes> Pkcs11Token::generate_custody_key(const ObjectName& name) {
  return impl_->generate_custody_key(name);
}
Result<void> Pkcs11Token::check_custody_key(const CustodyKey& key) {
  return impl_->check_custody_key(key);
}
Result<GeneratedMaterial> Pkcs11Token::generate_wrapped_material(const CustodyKey& key,
                                                                 const ObjectName& name,
                                                                 MaterialKind kind,
                                                                 ByteView subject) {
  return impl_->generate_wrapped_material(key, name, kind, subject);
}
Result<WrappedForm> Pkcs11Token::rewrap_material(const Material& material, const CustodyKey& key) {
  return impl_->rewrap_material(material, key);
}
Result<WrappedEvidence> Pkcs11Token::wrapped_evidence(const Material& material) {
  return impl_->wrapped_evidence(material);
}
Result<void> Pkcs11Token::check_data_key_pair(KeySpec spec) const {
  // OpenSSL makes them of every spec that PKCS#11 knows.
  const bool in_service = impl_->link().profile().data_key_pairs == DataKeyPairs::kMadeInService;
  if (in_service && row_of(spec).form != KeyForm::kSm2) return {};
  return check_kind({spec, *row_of(spec).usages.begin()});
}
Result<void> Pkcs11Token::check_algorithm(MaterialKind kind, Custody custody,
                                          Algorithm algorithm) const {
  TRY_ASSIGN(const Capabilities* able, impl_->capabilities());
  return able->check_algorithm(kind, custody, algorithm);
}
Result<GeneratedMaterial> Pkcs11Token::generate_material(const ObjectName& name,
                                                         std::string_view label,
                                                         MaterialKind kind) {
  return impl_->generate_material(name, label, kind);
}
Result<std::optional<GeneratedMaterial>> Pkcs11Token::adopt_material(const ObjectName& name,
                                                                     MaterialKind kind) {
  return impl_->adopt_material(name, kind);
}
Result<void> Pkcs11Token::check_material(const Material& material) {
  return impl_->check_material(material);
}
Result<void> Pkcs11Token::destroy_material(const ObjectName& name) {
  return impl_->destroy_material(name);
}
Result<ObjectEvidence> Pkcs11Token::evidence(const ObjectName& name) {
  return impl_->evidence(name);
}
Result<std::vector<ListedObject>> Pkcs11Token::list_objects() { return impl_->list_objects(); }
Result<void> Pkcs11Token::check_import(MaterialKind kind, WrappingAlgorithm algorithm) const {
  TRY_ASSIGN(const Capabilities* able, impl_->capabilities());
  return able->check_import(kind, algorithm);
}
Result<Bytes> Pkcs11Token::generate_wrapping_key(const WrappingKey& wrapping_key) {
  return impl_->generate_wrapping_key(wrapping_key);
}
Result<UnwrappedMaterialPtr> Pkcs11Token::unwrap_material(const WrappingKey& wrapping_key,
                                                          MaterialKind kind, ByteView wrapped) {
  return impl_->unwrap_material(wrapping_key, kind, wrapped);
}
Result<void> Pkcs11Token::keep_material(const UnwrappedMaterial& material, const ObjectName& name,
                                        std::string_view label) {
  return impl_->keep_material(material, name, label);
}
Result<MessageKeyPtr> Pkcs11Token::encryption_key(const Material& material) {
  return impl_->encryption_key(material);
}
Result<MessageKeyPtr> Pkcs11Token::decryption_key(const Material& material, ByteView salt,
                                                  ByteView header_tag) {
  return impl_->decryption_key(material, salt, header_tag);
}
std::size_t Pkcs11Token::iv_size() const { return impl_->link().iv_size(); }

Result<Bytes> Pkcs11Token::encrypt(const MessageKey& key, std::span<std::uint8_t> iv, ByteView aad,
                                   ByteView plaintext) {
  return impl_->encrypt(key, iv, aad, plaintext);
}
Result<Secret> Pkcs11Token::decrypt(const MessageKey& key, ByteView iv, ByteView aad,
                                    ByteView ciphertext_and_tag) {
  return impl_->decrypt(key, iv, aad, ciphertext_and_tag);
}
Result<Bytes> Pkcs11Token::sign(const Material& material, Algorithm algorithm,
                                const Message& message) {
  return impl_->sign(material, algorithm, message);
}
Result<void> Pkcs11Token::verify(const Material& material, Algorithm algorithm,
                                 const Message& message, ByteView signature) {
  return impl_->verify(material, algorithm, message, signature);
}
Result<Bytes> Pkcs11Token::encrypt_padded(const Material& material, Algorithm algorithm,
                                          ByteView plaintext) {
  return impl_->encrypt_padded(material, algorithm, plaintext);
}
Result<Secret> Pkcs11Token::decrypt_padded(const Material& material, Algorithm algorithm,
                                           ByteView ciphertext) {
  return impl_->decrypt_padded(material, algorithm, ciphertext);
}
Result<Secret> Pkcs11Token::agree(const Material& material, ByteView point) {
  return impl_->agree(material, point);
}
Result<DataKeyPair> Pkcs11Token::generate_data_key_pair(KeySpec spec) {
  return impl_->generate_data_key_pair(spec);
}
Result<Secret> Pkcs11Token::random(std::size_t size) { return impl_->random(size); }
Result<void> Pkcs11Token::check() { return impl_->check(); }
std::string Pkcs11Token::capabilities() const {
  const auto able = impl_->capabilities();
  return able ? (*able)->print() : std::string();
}
AdmissionReport Pkcs11Token::admission() const { return impl_->admission(); }
TokenHealth Pkcs11Token::health() const { return impl_->health(); }
Available Pkcs11Token::wait_until_available(std::chrono::milliseconds patience) const {
  return impl_->wait_until_available(patience);
}
Pkcs11Token::Usage Pkcs11Token::usage() const { return impl_->usage(); }
Pkcs11Token::Restart Pkcs11Token::restart() const { return impl_->restart_due(); }

}  // namespace keyhold::token
