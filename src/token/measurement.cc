#include "token/measurement.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/key_spec.h"
#include "pkcs11/crypto.h"
#include "pkcs11/session.h"
#include "token/construction.h"
#include "token/data_key_pairs.h"
#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/message_key.h"
#include "token/token.h"

namespace keyhold::token {
namespace {

constexpr std::array kDroppable = {CKA_ALLOWED_MECHANISMS, CKA_COPYABLE, CKA_MODIFIABLE};
constexpr std::string_view kLabel = "keyhold measurement";

class Measurement {
 public:
  Measurement(TokenLink& link, Random& random) : link_(link), random_(random) {}

  Result<MeasuredProfile> run() {
    measure_templates();
    measure_bad_codes();
    measure_sessions();
    measure_pairs();
    measure_hmac_keys();
    link_.objects().collect();
    // What was not to be had because the token is gone says nothing about it.
    const auto there = link_.look();
    if (!there) return to_error(there.error(), "measuring");
    return measured_;
  }

 private:
  Profile profile_of(Derivation derivation, std::vector<AttributeType> drop) const {
    Profile profile = link_.profile();
    profile.derivation = derivation;
    profile.template_drop = std::move(drop);
    return profile;
  }

  pkcs11::Result<SessionObject> generate(const Profile& profile) {
    return link_.objects().generate(
        pkcs11::Mechanism::plain(CKM_AES_KEY_GEN),
        material_template(profile, Residence::kSession, as_bytes(kLabel), kLabel));
  }

  /// Whether materials of that profile can be made and do what they are for.
  bool serves(const Profile& profile) {
    auto key = generate(profile);
    if (!key) return false;
    if (profile.derivation == Derivation::kNone) {
      const bool works = encrypts(key->handle());
      if (works) direct_.emplace(std::move(*key));
      return works;
    }
    pkcs11::Attributes wanted = mac_key_template(profile);
    const Bytes data = derivation_data_of_nothing();
    const auto mechanism = pkcs11::Mechanism::ecb_encrypt_data(data);
    if (!mechanism) return false;
    const auto child = link_.objects().derive(*mechanism, key->handle(), wanted);
    return child && link_.cmac(child->handle(), as_bytes(kLabel));
  }

  static Bytes derivation_data_of_nothing() { return Bytes(kDerivedKeySize, 0); }

  /// Whether the token encrypts so that it can decrypt, with the IV made as one of the three say.
  bool encrypts(pkcs11::ObjectHandle key) {
    for (const GcmIv way : {GcmIv::kFromCaller, GcmIv::kInBuffer, GcmIv::kBehindMessage}) {
      if (!encrypts(key, way)) continue;
      measured_.gcm_iv = way;
      return true;
    }
    return false;
  }

  bool encrypts(pkcs11::ObjectHandle key, GcmIv way) {
    Bytes iv(iv_size_of(way));
    if (way == GcmIv::kFromCaller) random_.fill(iv);
    const Bytes given = iv;
    const ByteView text = as_bytes(kLabel);
    auto mechanism = way == GcmIv::kBehindMessage
                         ? pkcs11::Mechanism::gcm_with_iv_behind(iv.size(), text)
                         : pkcs11::Mechanism::gcm(iv, text);
    if (!mechanism) return false;
    auto sealed = link_.on_session(
        [&](pkcs11::Session& session) { return pkcs11::encrypt(session, *mechanism, key, text); });
    if (!sealed) return false;
    if (way == GcmIv::kBehindMessage) {
      if (sealed->size() != text.size() + kGcmTagSize + iv.size()) return false;
      std::copy(sealed->end() - static_cast<std::ptrdiff_t>(iv.size()), sealed->end(), iv.begin());
      sealed->resize(sealed->size() - iv.size());
    } else {
      std::ranges::copy(mechanism->iv(), iv.begin());
      if ((way == GcmIv::kFromCaller) != (iv == given)) return false;
    }
    iv_ = iv;
    sealed_ = std::move(*sealed);
    const auto opened = link_.decrypt(key, iv_, text, sealed_);
    return opened && equal_in_constant_time(opened->view(), text);
  }

  /// The least that has to be left out of the templates so that keys can be made: nothing, one
  /// attribute, or more. Then whether such keys derive.
  void measure_templates() {
    constexpr unsigned kSubsets = 1U << kDroppable.size();
    std::vector<std::vector<AttributeType>> drops;
    for (unsigned subset = 0; subset < kSubsets; ++subset) {
      std::vector<AttributeType> drop;
      for (std::size_t i = 0; i < kDroppable.size(); ++i) {
        if ((subset >> i & 1U) != 0) drop.push_back(kDroppable[i]);
      }
      drops.push_back(std::move(drop));
    }
    std::ranges::stable_sort(drops, {}, &std::vector<AttributeType>::size);
    const auto made = std::ranges::find_if(
        drops, [&](const auto& drop) { return makes_keys(profile_of(Derivation::kNone, drop)); });
    if (made == drops.end()) return;
    measured_.template_drop = *made;
    if (serves(profile_of(Derivation::kEcb, *made))) measured_.derivation = Derivation::kEcb;
    serves(profile_of(Derivation::kNone, *made));
  }

  /// Secret keys, and pairs if the token makes any.
  bool makes_keys(const Profile& profile) {
    if (!generate(profile)) return false;
    const MaterialKind kind{KeySpec::kEccNistP256, KeyUsage::kSignVerify};
    const PairTemplates templates = pair_templates(profile, Residence::kSession, kind,
                                                   Custody::kResident, as_bytes(kLabel), kLabel);
    const auto pair = link_.objects().generate_pair(pkcs11::Mechanism::plain(CKM_EC_KEY_PAIR_GEN),
                                                    templates.public_key, templates.private_key);
    return pair || !complains_of_template(pair.error());
  }

  static bool complains_of_template(const pkcs11::Error& error) {
    constexpr std::array kCodes = {CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
                                   CKR_TEMPLATE_INCONSISTENT};
    return std::ranges::find(kCodes, error.rv()) != kCodes.end();
  }

  /// What it answers to ciphertexts that are not what was made.
  void measure_bad_codes() {
    if (!direct_) return;
    std::vector<Bytes> bad = {sealed_, sealed_, Bytes(sealed_.begin(), sealed_.end() - 1),
                              Bytes(kGcmTagSize, 0), Bytes(1, 0)};
    bad[0].front() ^= 1;
    bad[1].back() ^= 1;
    for (const Bytes& ciphertext : bad) {
      const auto opened = link_.decrypt(direct_->handle(), iv_, as_bytes(kLabel), ciphertext);
      if (opened || opened.error().function() != std::string_view("C_Decrypt")) continue;
      auto& codes = measured_.decrypt_bad_codes;
      const ReturnCode code = opened.error().rv();
      if (std::ranges::count(codes, code) == 0) codes.push_back(code);
    }
    std::ranges::sort(measured_.decrypt_bad_codes);
  }

  void measure_sessions() {
    std::vector<pkcs11::Session> open;
    while (open.size() < kMostSessions) {
      auto session =
          pkcs11::Session::open(link_.module(), link_.info().slot, pkcs11::Access::kReadWrite);
      if (!session) break;
      open.push_back(std::move(*session));
    }
    measured_.sessions = open.size() + link_.open_sessions();
  }

  /// Whether RSA without padding is done, and readable session pairs are made.
  void measure_pairs() {
    const auto mechanisms = pkcs11::list_mechanisms(link_.module(), link_.info().slot);
    const auto has = [&](CK_MECHANISM_TYPE type) {
      return mechanisms && std::ranges::count(*mechanisms, type) != 0;
    };
    if (has(CKM_RSA_X_509) && !knows_oaep_sha256()) {
      measured_.oaep_padding = OaepPadding::kRemovedInService;
    }
    PairTemplates templates = data_key_pair_templates(KeySpec::kEccNistP256);
    const auto pair = link_.objects().generate_pair(pkcs11::Mechanism::plain(CKM_EC_KEY_PAIR_GEN),
                                                    templates.public_key, templates.private_key);
    if (!pair) return;
    const auto value = link_.on_session([&](pkcs11::Session& session) {
      return pkcs11::get_attribute(session, pair->private_key.handle(), CKA_VALUE);
    });
    if (value && value->shown == pkcs11::Shown::kShown) {
      measured_.data_key_pairs = DataKeyPairs::kMadeInToken;
    }
  }

  /// The second type only where the token does not make keys of the first.
  void measure_hmac_keys() {
    const MaterialKind kind{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};
    for (const HmacKeyType type : {HmacKeyType::kGenericSecret, HmacKeyType::kOfHash}) {
      Profile profile = profile_of(Derivation::kNone, measured_.template_drop);
      profile.hmac_key_type = type;
      const auto mechanism =
          pkcs11::Mechanism::plain(generation_of(profile, *find_kind(KeyForm::kHmac)));
      const auto key = link_.objects().generate(
          mechanism,
          hmac_key_template(profile, Residence::kSession, kind, as_bytes(kLabel), kLabel));
      if (!key) continue;
      measured_.hmac_key_type = type;
      return;
    }
  }

  /// Asked of a public key, whose making costs nothing.
  bool knows_oaep_sha256() {
    pkcs11::Attributes key;
    Bytes modulus(256, 0xff);
    modulus.back() = 0xfd;  // any odd number will do: the mechanism is judged by its parameters
    constexpr std::array<std::uint8_t, 3> kExponent = {1, 0, 1};
    key.number(CKA_CLASS, CKO_PUBLIC_KEY)
        .number(CKA_KEY_TYPE, CKK_RSA)
        .no(CKA_TOKEN)
        .yes(CKA_ENCRYPT)
        .bytes(CKA_MODULUS, modulus)
        .bytes(CKA_PUBLIC_EXPONENT, kExponent);
    const auto object = link_.objects().create(key);
    const auto mechanism = pkcs11::Mechanism::oaep(CKM_SHA256);
    if (!object || !mechanism) return true;  // not shown: nothing is switched on
    return link_
        .on_session([&](pkcs11::Session& session) {
          return pkcs11::encrypt(session, *mechanism, object->handle(), as_bytes("x"));
        })
        .has_value();
  }

  TokenLink& link_;
  Random& random_;
  MeasuredProfile measured_;
  std::optional<SessionObject> direct_;  // a material that encrypts by itself
  Bytes iv_;
  Bytes sealed_;
};

}  // namespace

Result<MeasuredProfile> measure(TokenLink& link, Random& random) {
  return Measurement(link, random).run();
}

}  // namespace keyhold::token
