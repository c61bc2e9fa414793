#include "token/wrapping_trial.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "pkcs11/crypto.h"
#include "token/construction.h"
#include "token/key_wrapping.h"
#include "token/materials.h"
#include "token/pkcs11_names.h"

namespace keyhold::token {
namespace {

/// Whether an AES key that came out of a wrapped one may be taken out of the token.
enum class Openness : std::uint8_t { kHard, kReadable };

class WrappingTrials {
 public:
  WrappingTrials(TokenLink& link, Random& random) : link_(link) { random.fill(block_); }

  std::vector<AdmissionAct> run() {
    generate();
    if (material_) {
      for (const WrapMechanism& mechanism : wrap_mechanisms()) wrap(mechanism);
      harden();
      heed_template();
    }
    link_.objects().collect();
    return std::move(acts_);
  }

 private:
  void note(std::string act, Outcome outcome, std::string detail = {}) {
    acts_.push_back({std::move(act), outcome, std::move(detail)});
  }

  pkcs11::Attributes aes_template() const {
    pkcs11::Attributes attributes;
    attributes.number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .no(CKA_TOKEN)
        .yes(CKA_PRIVATE);
    return attributes;
  }

  pkcs11::Attributes unwrapped_template(Openness openness) const {
    pkcs11::Attributes attributes = aes_template().yes(CKA_ENCRYPT);
    if (openness == Openness::kHard) return attributes.yes(CKA_SENSITIVE).no(CKA_EXTRACTABLE);
    return attributes.no(CKA_SENSITIVE).yes(CKA_EXTRACTABLE);
  }

  pkcs11::Result<SessionObject> make_key(const pkcs11::Attributes& attributes) {
    return link_.objects().generate(pkcs11::Mechanism::plain(CKM_AES_KEY_GEN), attributes);
  }

  pkcs11::Result<SessionObject> make_wrapping_key(std::optional<pkcs11::Attributes> unwrapped) {
    pkcs11::Attributes attributes = aes_template()
                                        .number(CKA_VALUE_LEN, kDerivedKeySize)
                                        .yes(CKA_SENSITIVE)
                                        .no(CKA_EXTRACTABLE)
                                        .yes(CKA_WRAP)
                                        .yes(CKA_UNWRAP);
    if (unwrapped) attributes.nested(CKA_UNWRAP_TEMPLATE, std::move(*unwrapped));
    return make_key(attributes);
  }

  void generate() {
    const std::string act = "generate a key that is sensitive and extractable";
    auto material = make_key(aes_template()
                                 .number(CKA_VALUE_LEN, kDerivedKeySize)
                                 .yes(CKA_ENCRYPT)
                                 .yes(CKA_SENSITIVE)
                                 .yes(CKA_EXTRACTABLE));
    if (!material) return note(act, Outcome::kRefused, material.error().text());
    auto wrapping_key = make_wrapping_key(std::nullopt);
    if (!wrapping_key) return note(act, Outcome::kRefused, wrapping_key.error().text());
    note(act, Outcome::kSucceeded);
    material_.emplace(std::move(*material));
    wrapping_key_.emplace(std::move(*wrapping_key));
  }

  /// What a key makes of one block: the same for the same value.
  pkcs11::Result<Bytes> print_of(pkcs11::ObjectHandle key) {
    return link_.on_session([&](pkcs11::Session& session) {
      return pkcs11::encrypt(session, pkcs11::Mechanism::plain(CKM_AES_ECB), key, block_);
    });
  }

  pkcs11::Result<void> come_back(CK_MECHANISM_TYPE type) {
    PKCS11_TRY_ASSIGN(SessionObject back,
                      wrap_and_unwrap(link_, type, wrapping_key_->handle(), material_->handle(),
                                      unwrapped_template(Openness::kHard)));
    PKCS11_TRY_ASSIGN(const Bytes before, print_of(material_->handle()));
    PKCS11_TRY_ASSIGN(const Bytes after, print_of(back.handle()));
    if (before != after) return another_key_came_back();
    if (!type_) {
      type_ = type;
      back_.emplace(std::move(back));
    }
    return {};
  }

  void wrap(const WrapMechanism& mechanism) {
    const auto done = come_back(mechanism.type);
    note("wrap and unwrap it by " + std::string(mechanism.name),
         done ? Outcome::kSucceeded : Outcome::kRefused, done ? "" : done.error().text());
  }

  void harden() {
    const std::string act = "keep what it unwraps sensitive and not extractable, as it is asked to";
    if (!back_) return note(act, Outcome::kNotShown);
    const bool hard = !openness(link_, back_->handle());
    note(act, hard ? Outcome::kSucceeded : Outcome::kRefused,
         hard ? "" : "C_UnwrapKey: success, and a key that may leave");
  }

  /// Under a wrapping key that says so, nothing comes out readable, whoever asks.
  void heed_template() {
    const std::string act = "heed CKA_UNWRAP_TEMPLATE";
    if (!type_) return note(act, Outcome::kNotShown);
    pkcs11::Attributes hard;
    const auto key = make_wrapping_key(hard.yes(CKA_SENSITIVE).no(CKA_EXTRACTABLE));
    if (!key) return note(act, Outcome::kRefused, key.error().text());
    const auto blob = token::wrap(link_, *type_, key->handle(), material_->handle());
    if (!blob) return note(act, Outcome::kNotShown, blob.error().text());
    const auto asked =
        token::unwrap(link_, *blob, key->handle(), unwrapped_template(Openness::kHard));
    if (!asked) return note(act, Outcome::kRefused, asked.error().text());
    const auto soft =
        token::unwrap(link_, *blob, key->handle(), unwrapped_template(Openness::kReadable));
    const bool heeded = !soft || !openness(link_, soft->handle());
    note(act, heeded ? Outcome::kSucceeded : Outcome::kRefused,
         heeded ? "" : "C_UnwrapKey: success, and a key that may leave");
  }

  TokenLink& link_;
  std::vector<AdmissionAct> acts_;
  std::array<std::uint8_t, 16> block_{};
  std::optional<SessionObject> material_;
  std::optional<SessionObject> wrapping_key_;
  std::optional<CK_MECHANISM_TYPE> type_;  ///< the first that works, and what it made
  std::optional<SessionObject> back_;
};

}  // namespace

std::vector<AdmissionAct> try_wrapping(TokenLink& link, Random& random) {
  return WrappingTrials(link, random).run();
}

}  // namespace keyhold::token
