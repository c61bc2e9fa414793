#include "pkcs11/mechanism.h"

#include <algorithm>
#include <array>
#include <variant>

namespace keyhold::pkcs11 {
namespace {

struct Hash {
  CK_MECHANISM_TYPE mechanism;
  CK_RSA_PKCS_MGF_TYPE mgf;
};
constexpr auto kHashes = std::to_array<Hash>({
    {CKM_SHA_1, CKG_MGF1_SHA1},
    {CKM_SHA224, CKG_MGF1_SHA224},
    {CKM_SHA256, CKG_MGF1_SHA256},
    {CKM_SHA384, CKG_MGF1_SHA384},
    {CKM_SHA512, CKG_MGF1_SHA512},
});

const Hash* find_hash(CK_MECHANISM_TYPE mechanism) {
  const auto it = std::ranges::find(kHashes, mechanism, &Hash::mechanism);
  return it != kHashes.end() ? &*it : nullptr;
}

Error refused(const char* why) { return Error(CKR_MECHANISM_PARAM_INVALID, "Mechanism", why); }

constexpr std::size_t kAesBlock = 16;
constexpr std::size_t kMaxGcmIv = 256;
// The modulus of the longest RSA key that SoftHSM, NSS and the HSMs known make: 16384 bits.
constexpr std::size_t kMaxRsaBytes = 2048;

}  // namespace

struct Mechanism::State {
  CK_MECHANISM mechanism{};
  std::variant<std::monostate, CK_GCM_PARAMS, CK_KEY_DERIVATION_STRING_DATA,
               CK_RSA_PKCS_OAEP_PARAMS, CK_RSA_PKCS_PSS_PARAMS, CK_ECDH1_DERIVE_PARAMS,
               EddsaParameters>
      parameters;
  Bytes first;
  Bytes second;
  std::size_t behind = 0;  // bytes that the token puts behind ciphertext and tag

  template <typename Parameters>
  Parameters& use(Parameters value) {
    Parameters& kept = parameters.emplace<Parameters>(value);
    mechanism.pParameter = &kept;
    mechanism.ulParameterLen = sizeof kept;
    return kept;
  }
};

Mechanism::Mechanism(CK_MECHANISM_TYPE type) : state_(std::make_unique<State>()) {
  state_->mechanism.mechanism = type;
}
Mechanism::Mechanism(Mechanism&&) noexcept = default;
Mechanism& Mechanism::operator=(Mechanism&&) noexcept = default;
Mechanism::~Mechanism() = default;

CK_MECHANISM* Mechanism::get() const { return &state_->mechanism; }

Mechanism Mechanism::plain(CK_MECHANISM_TYPE type) { return Mechanism(type); }

Result<Mechanism> Mechanism::gcm(ByteView iv, ByteView aad, CK_ULONG tag_bits) {
  if (iv.empty() || iv.size() > kMaxGcmIv) return refused("a GCM IV has 1 to 256 bytes");
  if (tag_bits < 96 || tag_bits > 128 || tag_bits % 8 != 0) {
    return refused("a GCM tag has 96, 104, 112, 120 or 128 bits");
  }
  Mechanism out(CKM_AES_GCM);
  out.state_->first.assign(iv.begin(), iv.end());
  out.state_->second.assign(aad.begin(), aad.end());
  CK_GCM_PARAMS& parameters = out.state_->use(CK_GCM_PARAMS{});
  parameters.iv_ptr = input(out.state_->first);
  parameters.iv_len = length(out.state_->first);
  parameters.iv_bits = parameters.iv_len * 8;
  parameters.aad_ptr = input(out.state_->second);
  parameters.aad_len = length(out.state_->second);
  parameters.tag_bits = tag_bits;
  return out;
}

Result<Mechanism> Mechanism::gcm_with_iv_behind(std::size_t iv_size, ByteView aad,
                                                CK_ULONG tag_bits) {
  PKCS11_TRY_ASSIGN(Mechanism out, gcm(Bytes(iv_size), aad, tag_bits));
  auto& parameters = std::get<CK_GCM_PARAMS>(out.state_->parameters);
  parameters.iv_ptr = nullptr;
  parameters.iv_len = 0;
  parameters.iv_bits = 0;
  out.state_->behind = iv_size;
  return out;
}

Result<Mechanism> Mechanism::ecb_encrypt_data(ByteView data) {
  if (data.empty() || data.size() % kAesBlock != 0) return refused("data is not of whole blocks");
  Mechanism out(CKM_AES_ECB_ENCRYPT_DATA);
  out.state_->first.assign(data.begin(), data.end());
  auto& parameters = out.state_->use(CK_KEY_DERIVATION_STRING_DATA{});
  parameters.string_data = input(out.state_->first);
  parameters.string_data_len = length(out.state_->first);
  return out;
}

Mechanism Mechanism::aes_key_wrap(ByteView iv, CK_MECHANISM_TYPE type) {
  Mechanism out(type);
  out.state_->first.assign(iv.begin(), iv.end());
  out.state_->mechanism.pParameter = input(out.state_->first);
  out.state_->mechanism.ulParameterLen = length(out.state_->first);
  return out;
}

Result<Mechanism> Mechanism::oaep(CK_MECHANISM_TYPE hash, ByteView label) {
  const Hash* known = find_hash(hash);
  if (known == nullptr) return refused("not a hash for OAEP");
  Mechanism out(CKM_RSA_PKCS_OAEP);
  out.state_->first.assign(label.begin(), label.end());
  CK_RSA_PKCS_OAEP_PARAMS& parameters = out.state_->use(CK_RSA_PKCS_OAEP_PARAMS{});
  parameters.hash_alg = hash;
  parameters.mgf = known->mgf;
  parameters.source = CKZ_DATA_SPECIFIED;
  // The one place for null: SoftHSM refuses a source that is not null, empty or not.
  parameters.source_data = label.empty() ? nullptr : out.state_->first.data();
  parameters.source_data_len = length(out.state_->first);
  return out;
}

Result<Mechanism> Mechanism::pss(CK_MECHANISM_TYPE type, CK_MECHANISM_TYPE hash,
                                 CK_ULONG salt_length) {
  const Hash* known = find_hash(hash);
  if (known == nullptr) return refused("not a hash for PSS");
  Mechanism out(type);
  CK_RSA_PKCS_PSS_PARAMS& parameters = out.state_->use(CK_RSA_PKCS_PSS_PARAMS{});
  parameters.hash_alg = hash;
  parameters.mgf = known->mgf;
  parameters.s_len = salt_length;
  return out;
}

Result<Mechanism> Mechanism::ecdh(ByteView peer_point) {
  if (peer_point.empty()) return refused("a peer's point is not empty");
  Mechanism out(CKM_ECDH1_DERIVE);
  out.state_->first.assign(peer_point.begin(), peer_point.end());
  CK_ECDH1_DERIVE_PARAMS& parameters = out.state_->use(CK_ECDH1_DERIVE_PARAMS{});
  parameters.kdf = CKD_NULL;
  parameters.public_data = input(out.state_->first);
  parameters.public_data_len = length(out.state_->first);
  return out;
}

Mechanism Mechanism::ed25519ph() {
  Mechanism out(CKM_EDDSA);
  out.state_->use(EddsaParameters{CK_TRUE, 0, nullptr});
  return out;
}

ByteView Mechanism::iv() const {
  const auto* gcm = std::get_if<CK_GCM_PARAMS>(&state_->parameters);
  if (gcm == nullptr) return {};
  return {gcm->iv_ptr, gcm->iv_len};
}

std::size_t Mechanism::output_capacity(std::size_t input) const {
  switch (state_->mechanism.mechanism) {
    case CKM_AES_GCM:
      return input + std::get<CK_GCM_PARAMS>(state_->parameters).tag_bits / 8 + state_->behind;
    case CKM_RSA_PKCS:
    case CKM_RSA_X_509:
    case CKM_RSA_PKCS_OAEP:
      return kMaxRsaBytes;
    default:
      return input + kAesBlock;  // at most one block of padding
  }
}

}  // namespace keyhold::pkcs11
