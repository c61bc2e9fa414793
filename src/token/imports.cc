#include "token/imports.h"

#include <algorithm>
#include <array>
#include <utility>

#include "token/curve_points.h"
#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/key_wrap.h"
#include "token/locked_memory.h"
#include "token/oaep.h"
#include "token/private_key_info.h"

namespace keyhold::token {
namespace {

constexpr std::size_t kWrappingAesKeySize = 32;
constexpr std::size_t kAes128KeySize = 16;
constexpr std::size_t kAes192KeySize = 24;
constexpr std::string_view kWrappingKeyLabel = "keyhold wrapping key";

std::size_t modulus_size(KeySpec spec) { return static_cast<std::size_t>(row_of(spec).bits) / 8; }

Error incorrect(std::string_view detail) {
  return Error(ErrorCode::kIncorrectKeyMaterial, {}, std::string(detail));
}

/// Not one that can be told of the caller's material, and not one of the token's either.
pkcs11::Error not_of_its_kind() {
  return pkcs11::Error(CKR_KEY_TYPE_INCONSISTENT, "Imports", "the material is of another kind");
}

pkcs11::Error no_memory() {
  return pkcs11::Error(CKR_HOST_MEMORY, "mlock", "no memory can be locked");
}

/// Halves that do not belong together are found out by the proof.
bool is_of_another_kind(const pkcs11::Error& error) {
  return error.function() == "Imports" || error.function() == "prove_new";
}

/// Whether a token says that the wrapping is well and what was in it is no such key: those that
/// look at lengths and curves when they unwrap.
bool says_of_another_kind(const pkcs11::Error& error) {
  return error.function() == "C_UnwrapKey" &&
         (error.rv() == CKR_KEY_SIZE_RANGE || error.rv() == CKR_CURVE_NOT_SUPPORTED ||
          error.rv() == CKR_DOMAIN_PARAMS_INVALID);
}

/// Whether a failure is of sessions, handles or logins, which no key brings about.
bool is_of_the_session(const pkcs11::Error& error) {
  return lost_before_effect(error) || error.sessions_exhausted() || error.handle_stale() ||
         error.pin_refused();
}

}  // namespace

class Imports::Unwrapped final : public UnwrappedMaterial {
 public:
  Unwrapped(const void* maker, MaterialKind kind, SessionObject object, GeneratedMaterial made,
            Bytes fingerprint)
      : maker_(maker),
        kind_(kind),
        object_(std::move(object)),
        made_(std::move(made)),
        fingerprint_(std::move(fingerprint)) {}

  const GeneratedMaterial& made() const override { return made_; }
  ByteView fingerprint() const override { return fingerprint_; }
  const void* maker() const { return maker_; }
  MaterialKind kind() const { return kind_; }
  pkcs11::ObjectHandle handle() const { return object_.handle(); }

 private:
  const void* maker_;
  MaterialKind kind_;
  SessionObject object_;
  GeneratedMaterial made_;
  Bytes fingerprint_;
};

Result<Bytes> Imports::generate_wrapping_key(const Inside& inside,
                                             const WrappingKey& wrapping_key) {
  const Capability& padding =
      capabilities_.imports().padding(row_of(wrapping_key.algorithm).padding);
  const PairTemplates templates =
      wrapping_key_templates(link_.profile(), Residence::kToken, wrapping_key.spec, padding.place,
                             wrapping_key.object_name.bytes(), kWrappingKeyLabel);
  const std::timespec mark = StorageFolders::mark();
  const auto mechanism = pkcs11::Mechanism::plain(CKM_RSA_PKCS_KEY_PAIR_GEN);
  const auto made = [&] {
    const auto lock = objects_.making();
    return link_.once([&](pkcs11::Session& session) {
      return pkcs11::generate_key_pair(session, mechanism, templates.public_key,
                                       templates.private_key);
    });
  }();
  if (!made) return guard_.fail(inside, made.error(), "generating a wrapping key", Repeatable::kNo);
  TRY(folders_.sync_changes_since(mark));
  const auto shown = objects_.read(made->private_key);
  if (!shown) return guard_.fail(inside, shown.error(), "reading a new wrapping key");
  if (const auto flaw = custody_flaw(*shown)) return internal("a new wrapping key: " + *flaw);
  const auto public_key = read_public_key(link_, wrapping_key.spec, made->public_key);
  if (!public_key) return guard_.fail(inside, public_key.error(), "reading a new wrapping key");
  objects_.remember(wrapping_key.object_name, {made->private_key, made->public_key});
  const ByteView spki = (*public_key)->spki();
  return Bytes(spki.begin(), spki.end());
}

/// Nothing for a block that holds no AES-256 key where it should, as far as the token tells.
pkcs11::Result<std::optional<Imports::Source>> Imports::open_in_token(
    pkcs11::ObjectHandle key, const WrappingAlgorithmRow& row, ByteView block, ByteView rest) {
  if (row.envelope == Envelope::kMaterial) {
    return std::optional(Source{.padding = row.padding,
                                .unwrapping_key = key,
                                .wrapped = Bytes(block.begin(), block.end())});
  }
  const CK_MECHANISM_TYPE type = *capabilities_.imports().key_unwrapping;
  PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, mechanism_of(row_of(row.padding)));
  auto held = link_.objects().unwrap(mechanism, key, block,
                                     unwrapping_key_template(link_.profile(), std::array{type}));
  if (!held) {
    if (says_of_another_kind(held.error())) return std::optional<Source>();
    return held.error();
  }
  const auto handle = held->handle();
  const auto shown = link_.on_session([&](pkcs11::Session& session) {
    return pkcs11::get_attribute(session, handle, CKA_VALUE_LEN);
  });
  const bool kept_back = !shown && shown.error().fate() == pkcs11::Fate::kCaller;
  if (!shown && !kept_back) return shown.error();
  const auto length = shown ? shown->number() : std::nullopt;
  if (length == kAes128KeySize || length == kAes192KeySize) return std::optional<Source>();
  return std::optional(Source{.held = std::move(*held),
                              .unwrapping_key = handle,
                              .wrapped = Bytes(rest.begin(), rest.end())});
}

/// Nothing for a block that no encryption made, or that holds no AES-256 key where it should.
pkcs11::Result<std::optional<Imports::Source>> Imports::open_in_service(
    pkcs11::ObjectHandle key, KeySpec spec, const WrappingAlgorithmRow& row, ByteView block,
    ByteView rest) {
  const auto memory = LockedMemory::take(block.size());
  const auto message = LockedMemory::take(block.size());
  if (!memory || !message) return no_memory();
  const auto done = decrypt_bare(link_, key, block, memory->bytes());
  if (!done) {
    if (link_.says_bad_ciphertext(done.error())) return std::optional<Source>();
    return done.error();
  }
  const auto length =
      remove_oaep_padding_into(row_of(row.padding), memory->bytes(), message->bytes());
  if (!length || *length == 0) return std::optional<Source>();
  const ByteView opened = message->bytes().first(*length);

  // What was in the block goes back into the token at once: as the key that unwraps the rest, or
  // wrapped under such a key that was drawn for it.
  Secret aes_key(kWrappingAesKeySize);
  Bytes wrapped(rest.begin(), rest.end());
  if (row.envelope == Envelope::kAesKey) {
    if (opened.size() != kWrappingAesKeySize) return std::optional<Source>();
    aes_key = Secret(opened);
    if (is_pair(spec)) {
      const auto unwrapped = LockedMemory::take(rest.size());
      if (!unwrapped) return no_memory();
      const auto size = unwrap_with_padding_into(aes_key.view(), rest, unwrapped->bytes());
      // Bytes that do not unwrap are the token's to refuse.
      if (size && !is_private_key_info(spec, unwrapped->bytes().first(*size))) {
        return not_of_its_kind();
      }
    }
  } else {
    if (is_pair(spec) && !is_private_key_info(spec, opened)) return not_of_its_kind();
    random_.fill({aes_key.data(), aes_key.size()});
    wrapped = wrap_with_padding(aes_key.view(), opened);
  }
  const CK_MECHANISM_TYPE type = *capabilities_.imports().key_unwrapping;
  pkcs11::Attributes attributes = unwrapping_key_template(link_.profile(), std::array{type});
  PKCS11_TRY_ASSIGN(SessionObject held,
                    link_.objects().create(attributes.bytes(CKA_VALUE, aes_key.view())));
  const auto handle = held.handle();
  return std::optional(Source{.held = std::move(held),
                              .unwrapping_key = handle,
                              .wrapped = std::move(wrapped),
                              .custody = Custody::kHostStaged});
}

pkcs11::Result<SessionObject> Imports::unwrap_from(const Source& source,
                                                   const pkcs11::Attributes& attributes) {
  if (!source.padding) {
    const auto mechanism = pkcs11::Mechanism::plain(*capabilities_.imports().key_unwrapping);
    return link_.objects().unwrap(mechanism, source.unwrapping_key, source.wrapped, attributes);
  }
  PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, mechanism_of(row_of(*source.padding)));
  return link_.objects().unwrap(mechanism, source.unwrapping_key, source.wrapped, attributes);
}

/// As far as the token tells. What is too short to authenticate with, and what is no AES key, fails
/// its proof.
pkcs11::Result<bool> Imports::has_length(const Source& source, MaterialKind kind,
                                         pkcs11::ObjectHandle key) {
  const ImportLength length = import_length(kind.spec);
  if (capabilities_.imports().lengths == LengthEvidence::kShown) {
    PKCS11_TRY_ASSIGN(const auto shown, link_.on_session([&](pkcs11::Session& session) {
      return pkcs11::get_attribute(session, key, CKA_VALUE_LEN);
    }));
    const auto size = shown.number();
    return size && *size >= length.least && *size <= length.most;
  }
  if (!source.padding) {
    // RFC 5649 pads by less than 8 bytes, and puts 8 before.
    const std::size_t padded = source.wrapped.size() - 8;
    if (padded < length.least || padded > length.most + 7) return false;
  }
  if (row_of(kind.spec).form != KeyForm::kAes) return true;
  // AES has keys of 16 and 24 bytes too, which are too short for this HMAC.
  const MaterialKind as_secret{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};
  PKCS11_TRY_ASSIGN(const SessionObject secret,
                    unwrap_from(source, unwrapped_material_template(link_.profile(), as_secret,
                                                                    Custody::kResident)));
  const auto mac = sign(link_, as_secret.spec, secret.handle(), row_of(Algorithm::kHmacSha256),
                        {MessageType::kRaw, as_bytes(kCheckDomain)});
  if (mac) return true;
  if (mac.error().rv() == CKR_KEY_SIZE_RANGE) return false;
  return mac.error();
}

/// A token tells of an elliptic curve's private key nothing that is public. ECDH with the base
/// point answers the public key's x coordinate, and a signature tells which of the two keys that
/// have it is the one. Both are done with session objects of their own, since the material's usages
/// are its own.
pkcs11::Result<PublicKeyPtr> Imports::find_curve_key(const Source& source, MaterialKind kind) {
  const MaterialKind signing{kind.spec, KeyUsage::kSignVerify};
  pkcs11::Attributes attributes =
      unwrapped_material_template(link_.profile(), signing, Custody::kResident);
  PKCS11_TRY_ASSIGN(const SessionObject signer, unwrap_from(source, attributes));
  attributes.no(CKA_SIGN).yes(CKA_DERIVE);
  if (attributes.has(CKA_ALLOWED_MECHANISMS)) {
    attributes.mechanisms(CKA_ALLOWED_MECHANISMS, {CKM_ECDH1_DERIVE});
  }
  PKCS11_TRY_ASSIGN(const SessionObject deriver, unwrap_from(source, attributes));
  PKCS11_TRY_ASSIGN(const Secret x,
                    agree(link_, kind.spec, deriver.handle(), base_point(kind.spec)));
  const auto candidates = public_keys_of_x(kind.spec, x.view());
  if (!candidates) return PublicKeyPtr();
  const AlgorithmRow& algorithm = row_of(algorithms_of(kind.spec, KeyUsage::kSignVerify).front());
  const Message message{MessageType::kRaw, as_bytes(kCheckDomain)};
  PKCS11_TRY_ASSIGN(const Bytes signature,
                    sign(link_, kind.spec, signer.handle(), algorithm, message));
  for (const PublicKeyPtr& candidate : *candidates) {
    if (candidate->verify(algorithm, message, signature) == PublicKey::Verdict::kValid) {
      return candidate;
    }
  }
  return PublicKeyPtr();
}

pkcs11::Result<PublicKeyPtr> Imports::find_public_key(const Source& source, MaterialKind kind,
                                                      pkcs11::ObjectHandle key) {
  const auto read = [&](std::span<const CK_ATTRIBUTE_TYPE> types) {
    return link_.on_session(
        [&](pkcs11::Session& session) { return pkcs11::get_attributes(session, key, types); });
  };
  if (row_of(kind.spec).form == KeyForm::kRsa) {
    static constexpr CK_ATTRIBUTE_TYPE kNumbers[] = {CKA_MODULUS, CKA_PUBLIC_EXPONENT};
    PKCS11_TRY_ASSIGN(const auto shown, read(kNumbers));
    return PublicKey::of_rsa(kind.spec, shown[0].value.view(), shown[1].value.view());
  }
  static constexpr CK_ATTRIBUTE_TYPE kCurve[] = {CKA_EC_PARAMS};
  PKCS11_TRY_ASSIGN(const auto shown, read(kCurve));
  if (!std::ranges::equal(shown[0].value.view(), curve_parameters(kind.spec))) {
    return PublicKeyPtr();
  }
  return find_curve_key(source, kind);
}

pkcs11::Result<UnwrappedMaterialPtr> Imports::prove(const Source& source, MaterialKind kind,
                                                    SessionObject object) {
  PublicKeyPtr public_key;
  if (is_pair(kind.spec)) {
    PKCS11_TRY_ASSIGN(public_key, find_public_key(source, kind, object.handle()));
    if (!public_key) return not_of_its_kind();
  } else {
    PKCS11_TRY_ASSIGN(const bool fits, has_length(source, kind, object.handle()));
    if (!fits) return not_of_its_kind();
  }
  PKCS11_TRY_ASSIGN(GeneratedMaterial made,
                    materials_.prove_new(KeyObjects{object.handle()}, kind, std::move(public_key)));
  Bytes fingerprint = made.check_value;
  if (row_of(kind.spec).form == KeyForm::kAes) {
    const Material material{{}, made.construction, made.check_value, {}};
    PKCS11_TRY_ASSIGN(const auto opened, MaterialObject::open(link_, material, object.handle()));
    PKCS11_TRY_ASSIGN(fingerprint, opened->fingerprint(link_));
  }
  // A key whose every use is staged stays so, however it came.
  if (made.custody != Custody::kHostStaged) made.custody = source.custody;
  return UnwrappedMaterialPtr(std::make_shared<const Unwrapped>(
      this, kind, std::move(object), std::move(made), std::move(fingerprint)));
}

/// The token does with keys of its own all that a proof is made of, so that what it does not do
/// with this one, while it is well otherwise, is the material's doing. Numbers that are no key fail
/// in many places, and by codes that elsewhere mean a broken token.
Error Imports::fail_proof(const Inside& inside, const pkcs11::Error& error, std::string_view what) {
  if (is_of_another_kind(error)) return incorrect(error.text());
  if (!is_of_the_session(error) && link_.says_bad_key(error) && guard_.is_well()) {
    return incorrect(error.text());
  }
  return guard_.fail(inside, error, what);
}

Result<UnwrappedMaterialPtr> Imports::unwrap(const Inside& inside, const WrappingKey& wrapping_key,
                                             MaterialKind kind, ByteView wrapped) {
  TRY(capabilities_.check_import(kind, wrapping_key.algorithm));
  const WrappingAlgorithmRow& row = row_of(wrapping_key.algorithm);
  const std::size_t size = modulus_size(wrapping_key.spec);
  const bool fits = row.envelope == Envelope::kMaterial
                        ? wrapped.size() == size
                        : wrapped.size() >= size + 16 && (wrapped.size() - size) % 8 == 0;
  if (!fits) return invalid_ciphertext("the wrapped key material has a wrong length");

  TRY_ASSIGN(const auto found,
             objects_.handles(inside, wrapping_key.object_name, TokenObjects::Look::kIndex));
  const auto sorted = objects_.sort(found);
  if (!sorted) return guard_.fail(inside, sorted.error(), "finding a wrapping key");
  if (sorted->keys.size() != 1) return internal("not one private key is the wrapping key");
  const auto key = sorted->keys.front();

  const auto fail = [&](const pkcs11::Error& error) -> Error {
    if (is_of_another_kind(error)) return incorrect(error.text());
    // Some say of the caller's bytes what others say of a broken token: then it is looked at.
    if (link_.says_bad_wrapped_key(error) && (!error.token_gone() || link_.look())) {
      return invalid_ciphertext(error.text());
    }
    return guard_.fail(inside, error, "unwrapping key material");
  };
  const ByteView block = wrapped.first(size);
  const ByteView rest = wrapped.subspan(size);
  auto source = capabilities_.imports().padding(row.padding).place == Place::kToken
                    ? open_in_token(key, row, block, rest)
                    : open_in_service(key, kind.spec, row, block, rest);
  if (!source) return fail(source.error());
  if (!*source) return invalid_ciphertext("the RSA block does not hold what it should");
  auto object = unwrap_from(
      **source, unwrapped_material_template(link_.profile(), kind, capabilities_.custody(kind)));
  if (!object) {
    if (says_of_another_kind(object.error())) return incorrect(object.error().text());
    return fail(object.error());
  }
  const auto shown = objects_.read(object->handle());
  if (!shown) return guard_.fail(inside, shown.error(), "reading unwrapped key material");
  if (const auto flaw = openness(*shown)) return internal("unwrapped key material: " + *flaw);
  auto proven = prove(**source, kind, std::move(*object));
  if (!proven) return fail_proof(inside, proven.error(), "proving unwrapped key material");
  guard_.no_doubt();
  return std::move(*proven);
}

pkcs11::Result<Proof> Imports::prove_kept(const Unwrapped& unwrapped, pkcs11::ObjectHandle key) {
  const GeneratedMaterial& made = unwrapped.made();
  Material material{{}, made.construction, made.check_value, {}, unwrapped.kind(), made.custody};
  if (made.construction != Construction::kNative) {
    PKCS11_TRY_ASSIGN(const auto opened, MaterialObject::open(link_, material, key));
    return opened->prove(link_);
  }
  if (!made.public_key.empty()) {
    material.public_key = std::make_shared<const PublicKey>(made.public_key);
  }
  return token::prove(link_, material, KeyObjects{key}, *capabilities_.proof(unwrapped.kind()),
                      random_);
}

Result<void> Imports::keep(const Inside& inside, const UnwrappedMaterial& material,
                           const ObjectName& name, std::string_view label) {
  const auto& unwrapped = static_cast<const Unwrapped&>(material);
  if (unwrapped.maker() != this) return internal("a material of another token");
  const pkcs11::Attributes changes = kept_material_template(link_.profile(), name.bytes(), label);
  const std::timespec mark = StorageFolders::mark();
  const auto kept = [&] {
    const auto lock = objects_.making();
    return link_.once([&](pkcs11::Session& session) {
      return pkcs11::copy_object(session, unwrapped.handle(), changes);
    });
  }();
  if (!kept) return guard_.fail(inside, kept.error(), "keeping key material", Repeatable::kNo);
  TRY(folders_.sync_changes_since(mark));
  const auto shown = objects_.read(*kept);
  if (!shown) return guard_.fail(inside, shown.error(), "reading kept key material");
  if (const auto flaw = openness(*shown)) return internal("kept key material: " + *flaw);
  const auto proof = prove_kept(unwrapped, *kept);
  if (!proof) return fail_proof(inside, proof.error(), "proving kept key material");
  if (*proof != Proof::kHolds) {
    // Numbers that are nearly a pair pass one proof and fail another.
    if (is_pair(unwrapped.kind().spec)) return incorrect("what was kept fails its proof");
    return internal("what was kept is not what was unwrapped");
  }
  objects_.remember(name, {*kept});
  return {};
}

}  // namespace keyhold::token
