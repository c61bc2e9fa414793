#include "token/admission.h"

#include <array>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "token/admission_trial.h"
#include "token/construction.h"
#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/key_wrapping.h"
#include "token/message_key.h"
#include "token/pkcs11_names.h"
#include "token/token.h"

namespace keyhold::token {
namespace {

/// What a forbidden act came to.
struct Trial {
  Outcome outcome;
  std::string detail;
};

/// Whether succeeding costs the token its admission.
enum class Weight : std::uint8_t { kFatal, kReported };

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

    TRY(forbid("read the value of a sensitive key", Weight::kFatal, [this] { return read(); }));
    TRY(forbid("wrap a key that is not extractable", Weight::kFatal, [this] { return wrap(); }));
    TRY(forbid("wrap such a key under a key of known value", Weight::kFatal,
               [this] { return wrap_under_known(); }));
    TRY(forbid("make a key extractable or not sensitive", Weight::kFatal,
               [this] { return soften(); }));
    TRY(forbid("copy a key into an extractable or readable one", Weight::kFatal,
               [this] { return copy_softer(); }));
    if (link_.profile().derivation == Derivation::kEcb) {
      TRY(forbid("derive an extractable key from a key material", Weight::kReported,
                 [this] { return derive_extractable(); }));
    }
    if (link_.profile().custody == MaterialCustody::kWrapped) TRY(forbid_with_wrapped());
    return std::move(report_);
  }

  const std::string& refusal() const { return refusal_; }

 private:
  using Need = std::function<Result<void>()>;
  using Attempt = std::function<Trial()>;

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

  Result<void> forbid(std::string_view act, Weight weight, const Attempt& attempt) {
    const Trial trial = attempt();
    report_.forbidden.push_back({std::string(act), trial.outcome, trial.detail});
    if (trial.outcome != Outcome::kSucceeded) return {};
    if (weight == Weight::kFatal) return refuse(act, "the token lets it be done");
    log::warning("token: it lets whoever is logged in " + std::string(act));
    return {};
  }

  static Error failed(const pkcs11::Error& error) { return internal(error.text()); }
  static Trial refused(const pkcs11::Error& error) { return {Outcome::kRefused, error.text()}; }
  /// A mechanism or function the token does not have shows nothing about the act.
  static Trial judged(const pkcs11::Error& error) {
    const bool absent = error.rv() == CKR_MECHANISM_INVALID ||
                        error.rv() == CKR_FUNCTION_NOT_SUPPORTED ||
                        error.rv() == CKR_MECHANISM_PARAM_INVALID;
    return {absent ? Outcome::kNotShown : Outcome::kRefused, error.text()};
  }

  /// As long as the names of key materials.
  static ByteView name() { return as_bytes("keyhold admission, 32 bytes long"); }

  pkcs11::Result<SessionObject> new_material() {
    return link_.objects().generate(
        pkcs11::Mechanism::plain(CKM_AES_KEY_GEN),
        material_template(link_.profile(), Residence::kSession, name(), "keyhold admission"));
  }

  Result<void> generate() {
    auto key = new_material();
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
    if (id->shown != pkcs11::Shown::kShown || !std::ranges::equal(id->value.view(), name())) {
      return internal("it shows a CKA_ID of " + std::to_string(id->value.view().size()) + " bytes");
    }
    return {};
  }

  Material throwaway() const {
    Material material;
    material.construction = construction_of(link_.profile(), {});
    return material;
  }

  Result<void> derive_and_mac() {
    const auto object = MaterialObject::open(link_, throwaway(), key_->handle());
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

  Trial read_value(pkcs11::ObjectHandle key) {
    const auto value = link_.on_session(
        [&](pkcs11::Session& session) { return pkcs11::get_attribute(session, key, CKA_VALUE); });
    if (!value) return refused(value.error());
    if (value->shown == pkcs11::Shown::kShown) return {Outcome::kSucceeded, {}};
    return {Outcome::kRefused, value->shown == pkcs11::Shown::kSensitive
                                   ? "C_GetAttributeValue: sensitive"
                                   : "C_GetAttributeValue: no such attribute"};
  }
  Trial read() { return read_value(key_->handle()); }

  /// An AES key that may wrap, with a value of the token's or a known one.
  pkcs11::Attributes wrapping_template() const {
    pkcs11::Attributes attributes;
    attributes.number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .no(CKA_TOKEN)
        .yes(CKA_PRIVATE)
        .yes(CKA_ENCRYPT)
        .yes(CKA_WRAP);
    return attributes;
  }

  Trial wrap_under(pkcs11::ObjectHandle wrapping_key) {
    std::optional<Trial> outcome;
    for (const CK_MECHANISM_TYPE type : {CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD, CKM_AES_ECB}) {
      const auto wrapped = link_.on_session([&](pkcs11::Session& session) {
        return pkcs11::wrap_key(session, pkcs11::Mechanism::plain(type), wrapping_key,
                                key_->handle());
      });
      if (wrapped) return {Outcome::kSucceeded, {}};
      const Trial trial = judged(wrapped.error());
      if (!outcome || trial.outcome == Outcome::kRefused) outcome = trial;
    }
    return *outcome;
  }

  Trial wrap() {
    const auto wrapping_key =
        link_.objects().generate(pkcs11::Mechanism::plain(CKM_AES_KEY_GEN),
                                 wrapping_template().number(CKA_VALUE_LEN, kDerivedKeySize));
    if (!wrapping_key) return {Outcome::kNotShown, wrapping_key.error().text()};
    return wrap_under(wrapping_key->handle());
  }

  Trial wrap_under_known() {
    const std::array<std::uint8_t, kDerivedKeySize> known{};
    const auto wrapping_key = link_.objects().create(wrapping_template().bytes(CKA_VALUE, known));
    if (!wrapping_key) return {Outcome::kNotShown, wrapping_key.error().text()};
    return wrap_under(wrapping_key->handle());
  }

  std::optional<bool> flag_of(pkcs11::ObjectHandle key, CK_ATTRIBUTE_TYPE type) {
    const auto value = link_.on_session(
        [&](pkcs11::Session& session) { return pkcs11::get_attribute(session, key, type); });
    return value ? value->flag() : std::nullopt;
  }

  /// Whether a key is as open as an act wanted it to be.
  bool is_soft(pkcs11::ObjectHandle key) {
    return flag_of(key, CKA_EXTRACTABLE).value_or(true) ||
           !flag_of(key, CKA_SENSITIVE).value_or(false);
  }

  Trial soften() {
    // A key of its own, since one that softens is no use for what follows.
    const auto key = new_material();
    if (!key) return {Outcome::kNotShown, key.error().text()};
    std::string said;
    for (const CK_ATTRIBUTE_TYPE type : {CKA_EXTRACTABLE, CKA_SENSITIVE}) {
      const auto set = link_.on_session([&](pkcs11::Session& session) {
        CK_BBOOL value = type == CKA_EXTRACTABLE ? CK_TRUE : CK_FALSE;
        CK_ATTRIBUTE attribute{type, &value, sizeof value};
        return session.call("C_SetAttributeValue", &CK_FUNCTION_LIST::C_SetAttributeValue,
                            key->handle().value, &attribute, CK_ULONG{1});
      });
      // Answering success and changing nothing would be no softening.
      if (set && is_soft(key->handle())) return {Outcome::kSucceeded, {}};
      said = set ? "C_SetAttributeValue: success without effect" : set.error().text();
    }
    return {Outcome::kRefused, said};
  }

  Trial copy_softer() {
    std::string said;
    for (const CK_ATTRIBUTE_TYPE type : {CKA_EXTRACTABLE, CKA_SENSITIVE}) {
      pkcs11::Attributes changes;
      changes.no(CKA_TOKEN);
      type == CKA_EXTRACTABLE ? changes.yes(type) : changes.no(type);
      const auto copy = link_.objects().copy(key_->handle(), changes);
      if (copy && is_soft(copy->handle())) return {Outcome::kSucceeded, {}};
      said = copy ? "C_CopyObject: a copy as hard as its original" : copy.error().text();
    }
    return {Outcome::kRefused, said};
  }

  Trial derive_extractable() {
    pkcs11::Attributes attributes;
    attributes.number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .number(CKA_VALUE_LEN, kDerivedKeySize)
        .no(CKA_TOKEN)
        .no(CKA_SENSITIVE)
        .yes(CKA_EXTRACTABLE);
    const auto data = derivation_data(Purpose::kMessage, kZeroSalt);
    const auto mechanism = pkcs11::Mechanism::ecb_encrypt_data(data);
    if (!mechanism) return {Outcome::kNotShown, mechanism.error().text()};
    const auto child = link_.objects().derive(*mechanism, key_->handle(), attributes);
    if (!child) return refused(child.error());
    return read_value(child->handle());
  }

  // What would take a key material out that is held wrapped.

  /// A material as it is kept, under the key that wraps it.
  struct Wrapped {
    SessionObject wrapping_key;
    Bytes blob;
  };
  pkcs11::Result<Wrapped> wrap_material() {
    const Profile& profile = link_.profile();
    PKCS11_TRY_ASSIGN(
        SessionObject wrapping_key,
        link_.objects().generate(pkcs11::Mechanism::plain(CKM_AES_KEY_GEN),
                                 custody_wrapping_key_template(profile, Residence::kSession, name(),
                                                               "keyhold admission")));
    std::optional<pkcs11::Error> trouble;
    for (const CK_MECHANISM_TYPE type : wrap_mechanisms_of(profile)) {
      auto blob = generate_wrapped(link_, CKM_AES_KEY_GEN, generated_to_wrap_template(profile, {}),
                                   type, wrapping_key.handle());
      if (blob) return Wrapped{std::move(wrapping_key), std::move(*blob)};
      trouble = blob.error();
    }
    return *trouble;
  }

  Result<void> forbid_with_wrapped() {
    const auto wrapped = wrap_material();
    const auto with = [&](Trial (Trials::*act)(const Wrapped&)) -> Attempt {
      return [this, &wrapped, act]() -> Trial {
        if (!wrapped) return {Outcome::kNotShown, wrapped.error().text()};
        return (this->*act)(*wrapped);
      };
    };
    TRY(forbid("wrap a key material again that was unwrapped to be used", Weight::kFatal,
               with(&Trials::wrap_unwrapped)));
    TRY(forbid("decrypt a wrapped key material as if it were data", Weight::kFatal,
               with(&Trials::decrypt_wrapped)));
    return forbid("unwrap a wrapped key material readable", Weight::kReported,
                  with(&Trials::unwrap_readable));
  }

  Trial wrap_unwrapped(const Wrapped& wrapped) {
    const auto key =
        token::unwrap(link_, wrapped.blob, wrapped.wrapping_key.handle(),
                      unwrapped_to_use_template(link_.profile(), {}, throwaway().construction));
    if (!key) return {Outcome::kNotShown, key.error().text()};
    for (const WrapMechanism& mechanism : wrap_mechanisms()) {
      if (token::wrap(link_, mechanism.type, wrapped.wrapping_key.handle(), key->handle())) {
        return {Outcome::kSucceeded, {}};
      }
    }
    if (is_soft(key->handle())) return {Outcome::kSucceeded, "it is extractable or not sensitive"};
    return {Outcome::kRefused, "C_WrapKey: by no mechanism"};
  }

  Trial decrypt_wrapped(const Wrapped& wrapped) {
    const auto blocks = ByteView(wrapped.blob).last(32);
    const auto mechanism = pkcs11::Mechanism::plain(CKM_AES_ECB);
    Secret out(blocks.size());
    const auto decrypted = link_.on_session([&](pkcs11::Session& session) {
      return pkcs11::decrypt_into(session, mechanism, wrapped.wrapping_key.handle(), blocks,
                                  {out.data(), out.size()});
    });
    if (decrypted) return {Outcome::kSucceeded, {}};
    return judged(decrypted.error());
  }

  Trial unwrap_readable(const Wrapped& wrapped) {
    pkcs11::Attributes attributes =
        unwrapped_to_wrap_template(link_.profile(), {}, throwaway().construction);
    attributes.no(CKA_SENSITIVE);
    const auto key = token::unwrap(link_, wrapped.blob, wrapped.wrapping_key.handle(), attributes);
    if (!key) return refused(key.error());
    return read_value(key->handle());
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
