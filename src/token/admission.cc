#include "token/admission.h"

#include <array>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "token/admission_trial.h"
#include "token/construction.h"
#include "token/forbidden_acts.h"
#include "token/message_key.h"

namespace keyhold::token {
namespace {

Error not_admitted(std::string_view act, std::string_view detail) {
  return Error(ErrorCode::kKmsInternal, {},
               "the token is not admitted: " + std::string(act) + ": " + std::string(detail));
}

/// A flipped bit at `place` of a copy.
Bytes damaged(ByteView bytes, std::size_t place) {
  Bytes copy(bytes.begin(), bytes.end());
  copy[place] ^= 1;
  return copy;
}

/// Whether an act that ought to come out otherwise is the last one.
enum class Ending : std::uint8_t { kAtFirstRefusal, kAtTheEnd };

class Trials {
 public:
  Trials(TokenLink& link, Random& random, Ending ending)
      : link_(link), random_(random), ending_(ending) {}

  /// An error only where it ends at the first refusal.
  Result<AdmissionReport> run() {
    TRY(need("generate a key with the template of key materials", [this] { return generate(); }));
    if (!key_) return std::move(report_);  // there is nothing to try the rest on
    TRY(need("keep a name of 32 bytes in CKA_ID", [this] { return keep_name(); }));
    if (link_.profile().derivation == Derivation::kEcb) {
      TRY(need("derive keys by CKM_AES_ECB_ENCRYPT_DATA and authenticate by CKM_AES_CMAC",
               [this] { return derive_and_mac(); }));
    }
    if (link_.profile().gcm_iv == GcmIv::kFromCaller) {
      TRY(need("encrypt and decrypt by CKM_AES_GCM under the caller's IV",
               [this] { return gcm(); }));
    } else {
      TRY(need("encrypt by CKM_AES_GCM under fresh IVs of its own, and decrypt",
               [this] { return gcm_under_own_ivs(); }));
    }
    TRY(need("refuse ciphertexts that were changed, with a code of decrypt_bad_codes",
             [this] { return refuse_bad_ciphertexts(); }));
    TRY(need("answer random bytes", [this] { return random(); }));

    ForbiddenActs forbidden(link_, key_->handle());
    for (const ForbiddenAct& act : forbidden.all()) TRY(forbid(act));
    return std::move(report_);
  }

  const std::string& refusal() const { return refusal_; }

 private:
  using Need = std::function<Result<void>()>;

  Result<void> need(std::string_view act, const Need& attempt) {
    const auto done = attempt();
    if (!done) {
      report_.needed.push_back({std::string(act), Outcome::kRefused, done.error().detail()});
      return refuse(act, done.error().detail());
    }
    report_.needed.push_back({std::string(act), Outcome::kSucceeded, {}});
    return {};
  }

  Result<void> refuse(std::string_view act, std::string_view detail) {
    if (ending_ == Ending::kAtFirstRefusal) return not_admitted(act, detail);
    if (refusal_.empty()) refusal_ = not_admitted(act, detail).detail();
    return {};
  }

  Result<void> forbid(const ForbiddenAct& forbidden) {
    const Trial trial = forbidden.attempt();
    report_.forbidden.push_back({std::string(forbidden.act), trial.outcome, trial.detail});
    if (trial.outcome != Outcome::kSucceeded) return {};
    if (forbidden.weight == ForbiddenAct::Weight::kFatal) {
      return refuse(forbidden.act, "the token lets it be done");
    }
    log::warning("token: it lets whoever is logged in " + std::string(forbidden.act));
    return {};
  }

  static Error failed(const pkcs11::Error& error) { return internal(error.text()); }

  Result<void> generate() {
    auto key = generate_throwaway_material(link_);
    if (!key) return failed(key.error());
    key_.emplace(std::move(*key));
    return {};
  }

  /// A token that cuts names off would not find its keys again, or find others.
  Result<void> keep_name() {
    const auto id = link_.on_session([&](pkcs11::Session& session) {
      return pkcs11::get_attribute(session, key_->handle(), CKA_ID);
    });
    if (!id) return failed(id.error());
    if (id->shown != pkcs11::Shown::kShown ||
        !std::ranges::equal(id->value.view(), throwaway_name())) {
      return internal("it shows a CKA_ID of " + std::to_string(id->value.view().size()) + " bytes");
    }
    return {};
  }

  Result<void> derive_and_mac() {
    const auto object = MaterialObject::open(link_, throwaway_material(link_), key_->handle());
    if (!object) return failed(object.error());
    EcbSalt salt;
    random_.fill(salt);
    std::array<Bytes, 3> tags;
    const std::array<const EcbSalt*, 3> salts = {&salt, &salt, &kZeroSalt};
    for (std::size_t i = 0; i < tags.size(); ++i) {
      auto tag = (*object)->header_tag(link_, *salts[i]);
      if (!tag) return failed(tag.error());
      tags[i] = std::move(*tag);
    }
    if (tags[0] != tags[1] || tags[0].size() != kCmacSize) {
      return internal("a CMAC has 16 bytes, the same each time");
    }
    if (tags[0] == tags[2]) return internal("CMACs of different messages are different");
    auto first = (*object)->derive_message_key(link_, salt);
    if (!first) return failed(first.error());
    auto again = (*object)->derive_message_key(link_, salt);
    if (!again) return failed(again.error());
    auto other = (*object)->derive_message_key(link_, kZeroSalt);
    if (!other) return failed(other.error());
    const auto sealed = link_.encrypt(first->handle(), iv_, aad(), plaintext());
    if (!sealed) return failed(sealed.error());
    const auto opened = link_.decrypt(again->handle(), iv_, aad(), *sealed);
    if (!opened) return failed(opened.error());
    if (link_.decrypt(other->handle(), iv_, aad(), *sealed)) {
      return internal("keys derived under different salts are the same");
    }
    key_for_messages_.emplace(std::move(*first));
    return {};
  }

  pkcs11::ObjectHandle message_key() const {
    return key_for_messages_ ? key_for_messages_->handle() : key_->handle();
  }
  static ByteView aad() { return as_bytes("keyhold admission aad"); }
  static ByteView plaintext() { return as_bytes("keyhold admission plaintext"); }

  Result<void> gcm() {
    random_.fill(iv_);
    auto sealed = link_.encrypt(message_key(), iv_, aad(), plaintext());
    if (!sealed) return failed(sealed.error());
    sealed_ = std::move(*sealed);
    if (sealed_.size() != plaintext().size() + kGcmTagSize) {
      return internal("a tag of 16 bytes does not follow the ciphertext");
    }
    const auto again = link_.encrypt(message_key(), iv_, aad(), plaintext());
    if (!again) return failed(again.error());
    if (*again != sealed_) return internal("the token does not use the caller's IV");
    Bytes other_iv = damaged(iv_, 0);
    const auto other = link_.encrypt(message_key(), other_iv, aad(), plaintext());
    if (!other) return failed(other.error());
    if (*other == sealed_) return internal("the token does not use the caller's IV");
    const auto opened = link_.decrypt(message_key(), iv_, aad(), sealed_);
    if (!opened) return failed(opened.error());
    if (!equal_in_constant_time(opened->view(), plaintext())) {
      return internal("what was encrypted is not what was decrypted");
    }
    return {};
  }

  Result<void> gcm_under_own_ivs() {
    auto sealed = link_.encrypt(message_key(), iv_, aad(), plaintext());
    if (!sealed) return failed(sealed.error());
    sealed_ = std::move(*sealed);
    Bytes other_iv(iv_.size());
    const auto other = link_.encrypt(message_key(), other_iv, aad(), plaintext());
    if (!other) return failed(other.error());
    if (other_iv == iv_) return internal("the token makes one IV twice");
    const auto opened = link_.decrypt(message_key(), iv_, aad(), sealed_);
    if (!opened) return failed(opened.error());
    if (!equal_in_constant_time(opened->view(), plaintext())) {
      return internal("what was encrypted is not what was decrypted");
    }
    return {};
  }

  Result<void> refuse_bad_ciphertexts() {
    if (sealed_.empty()) return internal("there is no ciphertext to change");
    const ByteView whole = sealed_;
    const std::array<std::pair<std::string_view, Bytes>, 4> cases = {
        std::pair{"a changed ciphertext", damaged(whole, 0)},
        std::pair{"a changed tag", damaged(whole, whole.size() - 1)},
        std::pair{"a truncated ciphertext", Bytes(whole.begin(), whole.end() - 1)},
        std::pair{"a ciphertext that is a tag alone", Bytes(whole.end() - 16, whole.end())}};
    for (const auto& [what, ciphertext] : cases) {
      TRY(expect_refusal(what, iv_, aad(), ciphertext));
    }
    TRY(expect_refusal("another AAD", iv_, as_bytes("another"), whole));
    TRY(expect_refusal("another IV", damaged(iv_, 0), aad(), whole));
    // The session and the key must have survived all that.
    const auto opened = link_.decrypt(message_key(), iv_, aad(), sealed_);
    if (!opened) return failed(opened.error());
    return {};
  }

  Result<void> expect_refusal(std::string_view what, ByteView iv, ByteView with,
                              ByteView ciphertext) {
    const auto opened = link_.decrypt(message_key(), iv, with, ciphertext);
    if (opened) return internal("it accepts " + std::string(what));
    if (!link_.says_bad_ciphertext(opened.error())) {
      return internal("it answers " + std::string(what) + " with " + opened.error().text());
    }
    return {};
  }

  Result<void> random() {
    std::array<std::uint8_t, 32> first{};
    std::array<std::uint8_t, 32> second{};
    for (auto* out : {&first, &second}) {
      const auto drawn = link_.random(*out);
      if (!drawn) return failed(drawn.error());
    }
    if (first == second) return internal("it answers the same bytes twice");
    return {};
  }

  TokenLink& link_;
  Random& random_;
  const Ending ending_;
  std::string refusal_;
  AdmissionReport report_;
  std::optional<SessionObject> key_;
  std::optional<SessionObject> key_for_messages_;
  Bytes iv_{Bytes(link_.iv_size())};
  Bytes sealed_;
};

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kRefused:
      return "refused";
    case Outcome::kSucceeded:
      return "succeeded";
    case Outcome::kNotShown:
      break;
  }
  return "not shown";
}

Result<AdmissionReport> try_admission(TokenLink& link, Random& random) {
  auto report = Trials(link, random, Ending::kAtFirstRefusal).run();
  link.objects().collect();
  return report;
}

ObservedAdmission observe_admission(TokenLink& link, Random& random) {
  Trials trials(link, random, Ending::kAtTheEnd);
  auto report = trials.run();
  link.objects().collect();
  return {std::move(*report), trials.refusal()};
}

}  // namespace keyhold::token
