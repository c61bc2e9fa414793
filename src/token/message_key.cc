#include "token/message_key.h"

#include <array>

#include "token/key_template.h"

namespace keyhold::token {
namespace {

pkcs11::Result<SessionObject> derive(TokenLink& link, pkcs11::ObjectHandle base, Purpose purpose,
                                     const EcbSalt& salt, const pkcs11::Attributes& attributes) {
  const auto data = derivation_data(purpose, salt);
  PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, pkcs11::Mechanism::ecb_encrypt_data(data));
  return link.objects().derive(mechanism, base, attributes);
}

/// Nothing else than such a ciphertext is a check value of the direct construction.
struct DirectCheck {
  ByteView iv;
  ByteView ciphertext_and_tag;
};

std::optional<DirectCheck> direct_check(ByteView check_value) {
  constexpr std::size_t kSealed = kDirectCheckPlaintext.size() + kGcmTagSize;
  if (check_value.size() < kSealed || !is_iv_size(check_value.size() - kSealed)) {
    return std::nullopt;
  }
  return DirectCheck{check_value.first(check_value.size() - kSealed), check_value.last(kSealed)};
}

}  // namespace

pkcs11::Result<std::shared_ptr<MaterialObject>> MaterialObject::open(TokenLink& link,
                                                                     const Material& material,
                                                                     pkcs11::ObjectHandle base) {
  auto object = std::make_shared<MaterialObject>(material, base);
  if (material.construction == Construction::kDirect) return object;
  const pkcs11::Attributes attributes = mac_key_template(link.profile());
  PKCS11_TRY_ASSIGN(auto check, derive(link, base, Purpose::kCheck, kZeroSalt, attributes));
  object->check_.emplace(std::move(check));
  PKCS11_TRY_ASSIGN(auto header, derive(link, base, Purpose::kHeader, kZeroSalt, attributes));
  object->header_.emplace(std::move(header));
  return object;
}

pkcs11::Result<Bytes> MaterialObject::make_check_value(TokenLink& link, Random& random) const {
  if (check_) return link.cmac(check_->handle(), as_bytes(kCheckDomain));
  Bytes value(link.iv_size());
  random.fill(value);
  PKCS11_TRY_ASSIGN(const Bytes ciphertext,
                    link.encrypt(base_, value, as_bytes(kCheckDomain), kDirectCheckPlaintext));
  append(value, ciphertext);
  return value;
}

pkcs11::Result<Bytes> MaterialObject::fingerprint(TokenLink& link) const {
  if (check_) return link.cmac(check_->handle(), as_bytes(kCheckDomain));
  // One IV for one message, ever.
  std::array<std::uint8_t, kGcmIvSize> iv{};
  return link.encrypt(base_, iv, as_bytes(kFingerprintDomain), kDirectCheckPlaintext);
}

pkcs11::Result<Proof> MaterialObject::prove(TokenLink& link) const {
  if (check_) {
    PKCS11_TRY_ASSIGN(const Bytes value, link.cmac(check_->handle(), as_bytes(kCheckDomain)));
    return equal_in_constant_time(value, material_.check_value) ? Proof::kHolds : Proof::kDiffers;
  }
  const auto check = direct_check(material_.check_value);
  if (!check) return Proof::kDiffers;
  const auto plaintext =
      link.decrypt(base_, check->iv, as_bytes(kCheckDomain), check->ciphertext_and_tag);
  if (!plaintext) {
    if (link.says_bad_ciphertext(plaintext.error())) return Proof::kDiffers;
    return plaintext.error();
  }
  return equal_in_constant_time(plaintext->view(), kDirectCheckPlaintext) ? Proof::kHolds
                                                                          : Proof::kDiffers;
}

pkcs11::Result<Bytes> MaterialObject::header_tag(TokenLink& link, const EcbSalt& salt) const {
  return link.cmac(header_->handle(), header_message(material_.subject, salt));
}

pkcs11::Result<SessionObject> MaterialObject::derive_message_key(TokenLink& link,
                                                                 pkcs11::ObjectHandle base,
                                                                 const EcbSalt& salt) {
  return derive(link, base, Purpose::kMessage, salt, message_key_template(link.profile()));
}

bool MaterialObject::may_judge(TimePoint now) const {
  constexpr std::int64_t kSecond = 1000;
  const std::int64_t moment = now.time_since_epoch().count();
  std::int64_t before = judged_at_.load();
  if (before != INT64_MIN && moment < before + kSecond && moment >= before) return false;
  return judged_at_.compare_exchange_strong(before, moment);
}

}  // namespace keyhold::token
