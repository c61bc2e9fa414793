#include "token/import_probe.h"

#include <openssl/hmac.h>
#include <openssl/x509.h>

#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/key_wrap.h"
#include "token/native_key.h"
#include "token/oaep.h"
#include "token/openssl.h"
#include "token/probe_key.h"
#include "token/token_error.h"

namespace keyhold::token {
namespace {

// CKM_AES_KEY_WRAP_PAD is RFC 5649 to some tokens and something else to others.
constexpr std::array<CK_MECHANISM_TYPE, 2> kCandidates = {kAesKeyWrapKwp, CKM_AES_KEY_WRAP_PAD};
constexpr std::string_view kLabel = "keyhold probe";
// As long as an HMAC_224 key: no multiple of 8, which some tokens lengthen.
constexpr std::size_t kSecretSize = 28;

class ImportProbe {
 public:
  ImportProbe(TokenLink& link, Random& random) : link_(link) {
    random.fill({aes_key_.data(), aes_key_.size()});
    random.fill({secret_.data(), secret_.size()});
  }

  Result<ImportCapability> run() {
    ImportCapability seen;
    const Profile& profile = link_.profile();
    if (profile.derivation == Derivation::kNone && profile.gcm_iv != GcmIv::kFromCaller) {
      seen.recognition = Recognition::kNone;
    }
    TRY_ASSIGN(seen.sha1, judge(row_of(Algorithm::kRsaesOaepSha1)));
    TRY_ASSIGN(seen.sha256, judge(row_of(Algorithm::kRsaesOaepSha256)));
    for (const CK_MECHANISM_TYPE type : kCandidates) {
      const auto tried = unwrap_known(type);
      if (tried) {
        seen.key_unwrapping = type;
        TRY_ASSIGN(seen.lengths, judge_lengths(type));
        TRY_ASSIGN(seen.rsa_keys, judge_private_key(type, KeySpec::kRsa2048));
        TRY_ASSIGN(seen.curve_keys, judge_private_key(type, KeySpec::kEccNistP256));
        break;
      }
      if (is_gone(tried.error())) return to_error(tried.error(), "trying AES key unwrapping");
    }
    return seen;
  }

 private:
  Result<Capability> judge(const AlgorithmRow& padding) {
    const auto in_token = unwrap_aes_key(padding);
    if (in_token) return Capability{Place::kToken, {}, {}};
    if (is_gone(in_token.error())) return to_error(in_token.error(), "trying to unwrap");
    if (link_.profile().oaep_padding == OaepPadding::kRemovedInService) {
      const auto staged = decrypt_staged(padding);
      if (staged) return Capability{Place::kHost, {}, {}};
      if (is_gone(staged.error())) return to_error(staged.error(), "trying to decrypt");
    }
    return Capability{Place::kNowhere, "the token does not unwrap by " + find_kind(padding)->name,
                      in_token.error().text()};
  }

  pkcs11::Result<ProbePair> wrapping_key(Place place) {
    return put_probe_pair(
        link_, wrapping_key_templates(link_.profile(), Residence::kSession, KeySpec::kRsa2048,
                                      place, as_bytes(kLabel), kLabel));
  }

  /// Leaves the AES key in the token.
  pkcs11::Result<void> unwrap_aes_key(const AlgorithmRow& padding) {
    PKCS11_TRY_ASSIGN(const ProbePair pair, wrapping_key(Place::kToken));
    const auto block = pair.public_key->encrypt(padding, aes_key_.view());
    if (!block) return pkcs11::Error(CKR_FUNCTION_FAILED, "probe_imports", "no block");
    PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, mechanism_of(padding));
    PKCS11_TRY_ASSIGN(
        SessionObject unwrapped,
        link_.objects().unwrap(mechanism, pair.private_key.handle(), *block,
                               unwrapping_key_template(link_.profile(), kCandidates)));
    aes_object_.emplace(std::move(unwrapped));
    return {};
  }

  pkcs11::Result<void> decrypt_staged(const AlgorithmRow& padding) {
    PKCS11_TRY_ASSIGN(const ProbePair pair, wrapping_key(Place::kHost));
    const auto block = pair.public_key->encrypt(padding, aes_key_.view());
    if (!block) return pkcs11::Error(CKR_FUNCTION_FAILED, "probe_imports", "no block");
    Secret bare(block->size());
    PKCS11_TRY(decrypt_bare(link_, pair.private_key.handle(), *block, {bare.data(), bare.size()}));
    const auto opened = remove_oaep_padding(padding, bare.view());
    if (!opened || !equal_in_constant_time(opened->view(), aes_key_.view())) {
      return pkcs11::Error(CKR_FUNCTION_FAILED, "C_Decrypt", "a wrong answer");
    }
    return {};
  }

  /// Unwraps a secret of known value and looks what it computes.
  pkcs11::Result<SessionObject> unwrap_secret(CK_MECHANISM_TYPE type, MaterialKind kind) {
    return link_.objects().unwrap(
        pkcs11::Mechanism::plain(type), aes_object_->handle(),
        wrap_with_padding(aes_key_.view(), secret_.view()),
        unwrapped_material_template(link_.profile(), kind, Custody::kResident));
  }

  pkcs11::Result<LengthEvidence> try_lengths(CK_MECHANISM_TYPE type) {
    const MaterialKind longer{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};
    PKCS11_TRY_ASSIGN(const SessionObject secret, unwrap_secret(type, longer));
    PKCS11_TRY_ASSIGN(const auto shown, link_.on_session([&](pkcs11::Session& session) {
      return pkcs11::get_attribute(session, secret.handle(), CKA_VALUE_LEN);
    }));
    if (shown.number() == kSecretSize) return LengthEvidence::kShown;
    const auto mac = sign(link_, longer.spec, secret.handle(), row_of(Algorithm::kHmacSha256),
                          {MessageType::kRaw, as_bytes(kLabel)});
    if (mac) return LengthEvidence::kNone;
    if (mac.error().rv() == CKR_KEY_SIZE_RANGE) return LengthEvidence::kByRefusal;
    return mac.error();
  }

  Result<LengthEvidence> judge_lengths(CK_MECHANISM_TYPE type) {
    const auto seen = try_lengths(type);
    if (seen) return *seen;
    if (is_gone(seen.error())) return to_error(seen.error(), "trying lengths of keys");
    return LengthEvidence::kNone;
  }

  Result<Capability> judge_private_key(CK_MECHANISM_TYPE type, KeySpec spec) {
    const auto tried = unwrap_private_key(type, {spec, KeyUsage::kSignVerify});
    if (tried) return Capability{Place::kToken, {}, {}};
    if (is_gone(tried.error())) return to_error(tried.error(), "trying to unwrap private keys");
    return Capability{Place::kNowhere, "the token does not unwrap private keys of this form",
                      tried.error().text()};
  }

  /// Of OpenSSL's making. Whether it came out whole is seen when key material comes.
  pkcs11::Result<void> unwrap_private_key(CK_MECHANISM_TYPE type, MaterialKind kind) {
    const unsigned char* probe = kProbeKey.data();
    const openssl::Key made(
        row_of(kind.spec).form == KeyForm::kRsa
            ? d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &probe, static_cast<long>(kProbeKey.size()))
            : EVP_EC_gen(PublicKey::curve_name(kind.spec)));
    const std::unique_ptr<PKCS8_PRIV_KEY_INFO, openssl::Freed<PKCS8_PRIV_KEY_INFO_free>> info(
        EVP_PKEY2PKCS8(made.get()));
    Secret encoded(static_cast<std::size_t>(i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr)));
    unsigned char* at = encoded.data();
    i2d_PKCS8_PRIV_KEY_INFO(info.get(), &at);
    PKCS11_TRY(link_.objects().unwrap(
        pkcs11::Mechanism::plain(type), aes_object_->handle(),
        wrap_with_padding(aes_key_.view(), encoded.view()),
        unwrapped_material_template(link_.profile(), kind, Custody::kResident)));
    return {};
  }

  pkcs11::Result<void> unwrap_known(CK_MECHANISM_TYPE type) {
    if (!aes_object_) {
      pkcs11::Attributes attributes = unwrapping_key_template(link_.profile(), kCandidates);
      PKCS11_TRY_ASSIGN(auto created,
                        link_.objects().create(attributes.bytes(CKA_VALUE, aes_key_.view())));
      aes_object_.emplace(std::move(created));
    }
    const MaterialKind kind{KeySpec::kHmac224, KeyUsage::kGenerateVerifyMac};
    PKCS11_TRY_ASSIGN(const SessionObject secret, unwrap_secret(type, kind));
    const ByteView message = as_bytes(kLabel);
    PKCS11_TRY_ASSIGN(const Bytes mac,
                      sign(link_, kind.spec, secret.handle(), row_of(Algorithm::kHmacSha224),
                           {MessageType::kRaw, message}));
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> expected{};
    unsigned size = 0;
    HMAC(EVP_sha224(), secret_.data(), static_cast<int>(secret_.size()), message.data(),
         message.size(), expected.data(), &size);
    if (!equal_in_constant_time(mac, ByteView(expected).first(size))) {
      return pkcs11::Error(CKR_FUNCTION_FAILED, "C_UnwrapKey", "another secret than was wrapped");
    }
    return {};
  }

  TokenLink& link_;
  Secret aes_key_{std::size_t{32}};
  Secret secret_{kSecretSize};
  std::optional<SessionObject> aes_object_;
};

}  // namespace

Result<ImportCapability> probe_imports(TokenLink& link, Random& random) {
  return ImportProbe(link, random).run();
}

}  // namespace keyhold::token
