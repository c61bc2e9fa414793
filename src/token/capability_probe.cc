#include "token/capability_probe.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "pkcs11/slot.h"
#include "token/import_probe.h"
#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/native_key.h"
#include "token/oaep.h"
#include "token/probe_key.h"

namespace keyhold::token {
namespace {

constexpr std::string_view kLabel = "keyhold probe";

// RFC 8032, section 7.3.
constexpr std::array<std::uint8_t, 32> kEd25519phSecret = {
    0x83, 0x3f, 0xe6, 0x24, 0x09, 0x23, 0x7b, 0x9d, 0x62, 0xec, 0x77, 0x58, 0x75, 0x20, 0x91, 0x1e,
    0x9a, 0x75, 0x9c, 0xec, 0x1d, 0x19, 0x75, 0x5b, 0x7d, 0xa9, 0x01, 0xb9, 0x6d, 0xca, 0x3d, 0x42};
constexpr std::array<std::uint8_t, 32> kEd25519phPublic = {
    0xec, 0x17, 0x2b, 0x93, 0xad, 0x5e, 0x56, 0x3b, 0xf4, 0x93, 0x2c, 0x70, 0xe1, 0x24, 0x50, 0x34,
    0xc3, 0x54, 0x67, 0xef, 0x2e, 0xfd, 0x4d, 0x64, 0xeb, 0xf8, 0x19, 0x68, 0x34, 0x67, 0xe2, 0xbf};
constexpr std::array<std::uint8_t, 64> kEd25519phSignature = {
    0x98, 0xa7, 0x02, 0x22, 0xf0, 0xb8, 0x12, 0x1a, 0xa9, 0xd3, 0x0f, 0x81, 0x3d, 0x68, 0x3f, 0x80,
    0x9e, 0x46, 0x2b, 0x46, 0x9c, 0x7f, 0xf8, 0x76, 0x39, 0x49, 0x9b, 0xb9, 0x4e, 0x6d, 0xae, 0x41,
    0x31, 0xf8, 0x50, 0x42, 0x46, 0x3c, 0x2a, 0x35, 0x5a, 0x20, 0x03, 0xd0, 0x62, 0xad, 0xf5, 0xaa,
    0xa1, 0x0b, 0x8c, 0x61, 0xe6, 0x36, 0x06, 0x2a, 0xaa, 0xd1, 0x1c, 0x2a, 0x26, 0x08, 0x34, 0x06};

/// A throwaway key, and what is known of it.
struct ProbeKey {
  SessionObject object;
  PublicKeyPtr public_key;
  std::optional<SessionObject> public_object{};

  KeyObjects objects() const {
    KeyObjects handles{object.handle()};
    if (public_object) handles.public_key = public_object->handle();
    return handles;
  }
};

Capability lacking(std::string what, std::string said = {}) {
  return {Place::kNowhere, std::move(what), std::move(said)};
}

pkcs11::Error wrong_answer(const char* function) {
  return pkcs11::Error(CKR_FUNCTION_FAILED, function, "a wrong answer");
}

class Probe {
 public:
  Probe(TokenLink& link, Random& random, ProbedSizes sizes)
      : link_(link), random_(random), sizes_(sizes) {}

  Result<Capabilities> run() {
    const auto mechanisms = pkcs11::list_mechanisms(link_.module(), link_.info().slot);
    if (!mechanisms) return to_error(mechanisms.error(), "listing mechanisms");
    mechanisms_ = *mechanisms;
    for (const KeySpecRow& spec : key_spec_rows()) {
      for (const Algorithm algorithm : spec.algorithms) {
        TRY_ASSIGN(auto seen, judge(spec, row_of(algorithm)));
        capabilities_.set(spec.spec, algorithm, std::move(seen));
      }
      keys_.clear();
    }
    TRY_ASSIGN(auto imports, probe_imports(link_, random_));
    capabilities_.set_imports(std::move(imports));
    return std::move(capabilities_);
  }

 private:
  Result<Capability> judge(const KeySpecRow& spec, const AlgorithmRow& algorithm) {
    // What admission has tried is not tried again.
    if (spec.form == KeyForm::kAes) return Capability{Place::kToken, {}, {}};
    const KeyKind* kind = find_kind(spec.form);
    const auto how = find_kind(algorithm);
    if (kind == nullptr || !how) return lacking("PKCS#11 has no mechanism for it");
    const CK_MECHANISM_TYPE generation = generation_of(link_.profile(), *kind);
    const auto info = pkcs11::mechanism_info(link_.module(), link_.info().slot, generation);
    if (!info && info.error().token_gone()) return to_error(info.error(), "asking for mechanisms");
    // Tokens are known that describe mechanisms which they do not have.
    if (!info || std::ranges::count(mechanisms_, generation) == 0) {
      return lacking("the token has no " + std::string(kind->generation_name));
    }
    // Of forms whose keys take long to make one size is tried, and the others are as the token
    // says.
    if (row_of(spec.form).generation == Generation::kSlow && spec.spec != KeySpec::kRsa2048) {
      if (info->ulMaxKeySize < static_cast<CK_ULONG>(spec.bits)) {
        return lacking("the token's " + std::string(kind->generation_name) + " makes none so long");
      }
      if (sizes_ == ProbedSizes::kOne) {
        return capabilities_.of(KeySpec::kRsa2048, algorithm.algorithm);
      }
    }
    auto tried = attempt(spec, algorithm);
    if (tried) return Capability{*tried, {}, {}};
    if (is_gone(tried.error())) return to_error(tried.error(), "trying " + how->name);
    const std::string_view function = tried.error().function();
    const bool has_no_key = function.starts_with("C_Generate") || function == "C_CreateObject";
    return lacking(has_no_key ? "the token makes no session key of this kind with " +
                                    std::string(kind->generation_name)
                              : "the token has no " + how->name,
                   tried.error().text());
  }

  pkcs11::Result<Place> attempt(const KeySpecRow& spec, const AlgorithmRow& algorithm) {
    if (algorithm.scheme == Scheme::kEd25519ph) return known_answer_ed25519ph(algorithm);
    PKCS11_TRY_ASSIGN(const ProbeKey* key, key_for({spec.spec, algorithm.usage}));
    Material material;
    material.kind = {spec.spec, algorithm.usage};
    material.public_key = key->public_key;
    PKCS11_TRY_ASSIGN(
        material.check_value,
        make_check_value(link_, material.kind, key->object.handle(), key->public_key.get()));
    const auto proof = prove(link_, material, key->objects(), algorithm.algorithm, random_);
    if (proof && *proof == Proof::kHolds) return Place::kToken;
    if (algorithm.scheme == Scheme::kOaep && may_stage()) {
      const auto staged = decrypt_staged(*key, algorithm);
      if (staged) return Place::kHost;
    }
    return proof ? wrong_answer("prove") : proof.error();
  }

  bool may_stage() const { return link_.profile().oaep_padding == OaepPadding::kRemovedInService; }

  pkcs11::Result<void> decrypt_staged(const ProbeKey& key, const AlgorithmRow& algorithm) {
    const ByteView message = as_bytes(kLabel);
    const auto ciphertext = key.public_key->encrypt(algorithm, message);
    if (!ciphertext) return wrong_answer("encrypt");
    Bytes block(ciphertext->size());
    PKCS11_TRY(decrypt_bare(link_, key.object.handle(), *ciphertext, block));
    const auto opened = remove_oaep_padding(algorithm, block);
    if (!opened || !equal_in_constant_time(opened->view(), message)) {
      return wrong_answer("C_Decrypt");
    }
    return {};
  }

  pkcs11::Result<const ProbeKey*> key_for(MaterialKind kind) {
    const auto known = keys_.find(kind.usage);
    if (known != keys_.end()) return &known->second;
    PKCS11_TRY_ASSIGN(ProbeKey made, make(kind));
    return &keys_.emplace(kind.usage, std::move(made)).first->second;
  }

  pkcs11::Result<ProbeKey> make(MaterialKind kind) {
    const KeySpecRow& spec = row_of(kind.spec);
    const auto mechanism =
        pkcs11::Mechanism::plain(generation_of(link_.profile(), *find_kind(spec.form)));
    if (!is_pair(kind.spec)) {
      PKCS11_TRY_ASSIGN(
          auto object,
          link_.objects().generate(mechanism, secret_template(link_.profile(), Residence::kSession,
                                                              kind, as_bytes(kLabel), kLabel)));
      return ProbeKey{std::move(object), nullptr};
    }
    const Custody custody = kind.usage == KeyUsage::kEncryptDecrypt && may_stage()
                                ? Custody::kHostStaged
                                : Custody::kResident;
    const PairTemplates templates = pair_templates(link_.profile(), Residence::kSession, kind,
                                                   custody, as_bytes(kLabel), kLabel);
    if (kind.spec == KeySpec::kRsa2048) {
      PKCS11_TRY_ASSIGN(ProbePair pair, put_probe_pair(link_, templates));
      return ProbeKey{std::move(pair.private_key), std::move(pair.public_key),
                      std::move(pair.public_object)};
    }
    PKCS11_TRY_ASSIGN(auto pair, link_.objects().generate_pair(mechanism, templates.public_key,
                                                               templates.private_key));
    PKCS11_TRY_ASSIGN(auto public_key, read_public_key(link_, kind.spec, pair.public_key.handle()));
    return ProbeKey{std::move(pair.private_key), std::move(public_key), std::move(pair.public_key)};
  }

  /// A token that ignores the parameters would sign by Ed25519 and call it a success.
  pkcs11::Result<Place> known_answer_ed25519ph(const AlgorithmRow& algorithm) {
    const MaterialKind kind{KeySpec::kEccNistEdwards25519, KeyUsage::kSignVerify};
    pkcs11::Attributes attributes = pair_templates(link_.profile(), Residence::kSession, kind,
                                                   Custody::kResident, as_bytes(kLabel), kLabel)
                                        .private_key;
    attributes.remove(CKA_MODIFIABLE)
        .bytes(CKA_EC_PARAMS, curve_parameters(kind.spec))
        .bytes(CKA_VALUE, kEd25519phSecret);
    // Tokens differ in whether a private key tells its public half. SoftHSM refuses one that does,
    // and leaves half an object behind, so that comes second.
    auto untold = link_.objects().create(attributes);
    const auto key = untold
                         ? std::move(untold)
                         : link_.objects().create(attributes.bytes(CKA_EC_POINT, kEd25519phPublic));
    if (!key) return key.error();
    PKCS11_TRY_ASSIGN(const Bytes signature, sign(link_, kind.spec, key->handle(), algorithm,
                                                  {MessageType::kDigest, as_bytes("abc")}));
    if (!std::ranges::equal(signature, kEd25519phSignature)) return wrong_answer("C_Sign");
    return Place::kToken;
  }

  TokenLink& link_;
  Random& random_;
  const ProbedSizes sizes_;
  std::vector<CK_MECHANISM_TYPE> mechanisms_;
  Capabilities capabilities_;
  std::map<KeyUsage, ProbeKey> keys_;  ///< of the spec that is being tried
};

}  // namespace

Result<Capabilities> probe_capabilities(TokenLink& link, Random& random, ProbedSizes sizes) {
  auto seen = Probe(link, random, sizes).run();
  link.objects().collect();
  return seen;
}

}  // namespace keyhold::token
