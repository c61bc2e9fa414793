#include "token/native_keys.h"

#include <algorithm>
#include <utility>

#include "token/key_kind.h"
#include "token/locked_memory.h"
#include "token/oaep.h"

namespace keyhold::token {

bool NativeKeys::is_current(const Opened& opened, const Material& material) const {
  const Material& known = opened.material;
  return link_.current(opened.objects.key) && known.kind == material.kind &&
         known.custody == material.custody &&
         equal_in_constant_time(known.check_value, material.check_value);
}

/// The public object that shows the public key of a material, where the token verifies by it.
/// Whoever else is logged in can put another's key beside it under the same name, and that one
/// would take another's signatures for good.
pkcs11::Result<std::optional<pkcs11::ObjectHandle>> NativeKeys::public_half(
    const Material& material, const ObjectIndex::Handles& candidates) {
  const MaterialKind kind = material.kind;
  const bool verifies_inside =
      kind.usage == KeyUsage::kSignVerify &&
      std::ranges::any_of(algorithms_of(kind.spec, kind.usage), [](Algorithm algorithm) {
        return !PublicKey::can_verify(row_of(algorithm));
      });
  if (!verifies_inside || material.public_key == nullptr) {
    return std::optional<pkcs11::ObjectHandle>();
  }
  for (const pkcs11::ObjectHandle candidate : candidates) {
    const auto shown = read_public_key(link_, kind.spec, candidate);
    if (!shown) {
      // One that is no key of this spec is not ours.
      if (shown.error().rv() == CKR_ATTRIBUTE_VALUE_INVALID) continue;
      return shown.error();
    }
    if (std::ranges::equal((*shown)->spki(), material.public_key->spki())) return {candidate};
  }
  return std::optional<pkcs11::ObjectHandle>();
}

Result<NativeKeys::OpenedPtr> NativeKeys::open(const Inside& inside, const Material& material) {
  TRY(capabilities_.check_kind(material.kind));
  const Algorithm algorithm = *capabilities_.proof(material.kind);
  for (const auto look : {TokenObjects::Look::kIndex, TokenObjects::Look::kToken}) {
    TRY_ASSIGN(const auto candidates, objects_.handles(inside, material.object_name, look));
    std::optional<pkcs11::Error> trouble;
    const auto sorted = objects_.sort(candidates);
    if (!sorted) trouble = sorted.error();
    std::optional<pkcs11::ObjectHandle> half;
    if (sorted) {
      const auto found = public_half(material, sorted->public_keys);
      if (found) {
        half = *found;
      } else {
        trouble = found.error();
      }
    }
    for (const pkcs11::ObjectHandle key : trouble ? ObjectIndex::Handles() : sorted->keys) {
      const KeyObjects objects{key, half};
      const auto proof = prove(link_, material, objects, algorithm, random_);
      if (!proof) {
        trouble = proof.error();
      } else if (*proof == Proof::kHolds) {
        auto opened = std::make_shared<Opened>();
        opened->material = material;
        opened->objects = objects;
        return opened;
      }
    }
    if (!trouble) {
      return internal("the object " + material.object_name.hex() +
                      " is not the key that its check value was taken of");
    }
    if (look == TokenObjects::Look::kToken || !trouble->handle_stale()) {
      return guard_.fail(inside, *trouble, "opening the object " + material.object_name.hex());
    }
  }
  return internal("unreachable");
}

Result<NativeKeys::OpenedPtr> NativeKeys::opened(const Inside& inside, const Material& material) {
  if (material.custody == Custody::kWrapped) {
    auto opened = std::make_shared<Opened>();
    TRY_ASSIGN(opened->unwrapped, wrapped_.unwrapped(inside, material));
    opened->objects.key = opened->unwrapped->handle();
    return opened;
  }
  const ObjectName& name = material.object_name;
  if (const auto found = opened_.find(name); found && is_current(**found, material)) return *found;
  const std::lock_guard lock(opening_[std::hash<ObjectName>()(name) % opening_.size()]);
  if (const auto found = opened_.find(name)) {
    if (is_current(**found, material)) return *found;
    opened_.erase(name);
  }
  TRY_ASSIGN(OpenedPtr fresh, open(inside, material));
  return opened_.insert(name, std::move(fresh));
}

/// Calls with the opened key, and once more with it opened anew if its handle was stale.
template <typename Use>
auto NativeKeys::use(const Inside& inside, const Material& material, std::string_view what,
                     const Use& call)
    -> Result<typename decltype(call(std::declval<const Opened&>()))::value_type> {
  for (int attempt = 0;; ++attempt) {
    TRY_ASSIGN(const OpenedPtr key, opened(inside, material));
    auto answer = call(*key);
    if (answer) {
      guard_.no_doubt();
      return std::move(*answer);
    }
    if (attempt != 0 || !answer.error().handle_stale()) {
      return guard_.fail(inside, answer.error(), what);
    }
    forget(material.object_name);
  }
}

namespace {

/// A hash of ML-DSA's own that was computed outside (FIPS 204, section 6.2).
Result<void> refuse_external_mu(const Message& message) {
  if (message.type != MessageType::kExternalMu) return {};
  return Error(ErrorCode::kUnsupportedOperation,
               "MessageType EXTERNAL_MU is not supported: PKCS#11 has no mechanism for it.");
}

}  // namespace

Result<Bytes> NativeKeys::sign(const Inside& inside, const Material& material, Algorithm algorithm,
                               const Message& message) {
  TRY(capabilities_.check_algorithm(material.kind, material.custody, algorithm));
  TRY(refuse_external_mu(message));
  return use(inside, material, "signing", [&](const Opened& key) {
    return token::sign(link_, material.kind.spec, key.objects.key, row_of(algorithm), message);
  });
}

Result<void> NativeKeys::verify(const Inside& inside, const Material& material, Algorithm algorithm,
                                const Message& message, ByteView signature) {
  TRY(capabilities_.check_algorithm(material.kind, material.custody, algorithm));
  TRY(refuse_external_mu(message));
  TRY_ASSIGN(
      const pkcs11::Verdict verdict,
      use(inside, material, "verifying", [&](const Opened& key) -> pkcs11::Result<pkcs11::Verdict> {
        if (!key.objects.public_key) {
          return pkcs11::Error(CKR_KEY_HANDLE_INVALID, "C_VerifyInit",
                               "the token has no public half of the key");
        }
        return token::verify(link_, *key.objects.public_key, row_of(algorithm), message, signature);
      }));
  if (verdict == pkcs11::Verdict::kValid) return {};
  return Error(ErrorCode::kKmsInvalidSignature);
}

Result<Secret> NativeKeys::agree(const Inside& inside, const Material& material, ByteView point) {
  TRY(capabilities_.check_algorithm(material.kind, material.custody, Algorithm::kEcdh));
  return use(inside, material, "agreeing on a secret", [&](const Opened& key) {
    return token::agree(link_, material.kind.spec, key.objects.key, point);
  });
}

/// Nothing for a block that no encryption made, whoever found that out.
pkcs11::Result<std::optional<Secret>> NativeKeys::decrypt_with(const Opened& key, Place place,
                                                               const AlgorithmRow& algorithm,
                                                               ByteView ciphertext) {
  const auto unless_bad = [&](const pkcs11::Error& error) -> pkcs11::Result<std::optional<Secret>> {
    if (link_.says_bad_ciphertext(error)) return std::optional<Secret>();
    return error;
  };
  if (place == Place::kToken) {
    auto plaintext = decrypt_padded(link_, key.objects.key, algorithm, ciphertext);
    if (!plaintext) return unless_bad(plaintext.error());
    return std::optional(std::move(*plaintext));
  }
  const auto block = LockedMemory::take(ciphertext.size());
  if (!block) return pkcs11::Error(CKR_HOST_MEMORY, "mlock", "no memory can be locked");
  const auto done = decrypt_bare(link_, key.objects.key, ciphertext, block->bytes());
  if (!done) return unless_bad(done.error());
  return remove_oaep_padding(algorithm, block->bytes());
}

Result<Secret> NativeKeys::decrypt(const Inside& inside, const Material& material,
                                   Algorithm algorithm, ByteView ciphertext) {
  TRY(capabilities_.check_algorithm(material.kind, material.custody, algorithm));
  const auto modulus_size = static_cast<std::size_t>(row_of(material.kind.spec).bits) / 8;
  // Of public numbers alone, so that it may answer sooner.
  if (ciphertext.size() != modulus_size || !material.public_key->below_modulus(ciphertext)) {
    return invalid_ciphertext("it is no number below the modulus");
  }
  const Place place = capabilities_.of(material.kind, material.custody, algorithm);
  TRY_ASSIGN(auto plaintext, use(inside, material, "decrypting", [&](const Opened& key) {
               return decrypt_with(key, place, row_of(algorithm), ciphertext);
             }));
  if (plaintext) return std::move(*plaintext);
  return judge(inside, material);
}

/// A failed decryption is the caller's, unless the key no longer computes what it should.
Error NativeKeys::judge(const Inside& inside, const Material& material) {
  constexpr std::int64_t kSecond = 1000;
  const auto key = opened_.find(material.object_name);
  if (!key) return invalid_ciphertext("the block does not decrypt");
  const std::int64_t moment = clock_.now().time_since_epoch().count();
  std::int64_t before = (*key)->judged_at.load();
  const bool recently = before != INT64_MIN && moment >= before && moment < before + kSecond;
  if (!recently && (*key)->judged_at.compare_exchange_strong(before, moment)) {
    const auto proof =
        prove(link_, material, (*key)->objects, *capabilities_.proof(material.kind), random_);
    if (!proof) return guard_.lost(inside, "the proof of life failed: " + proof.error().text());
    if (*proof == Proof::kDiffers) return guard_.lost(inside, "a key computes something else");
  }
  return invalid_ciphertext("the block does not decrypt");
}

Result<void> NativeKeys::check(const Inside& inside, const Material& material) {
  TRY(open(inside, material));
  return {};
}

}  // namespace keyhold::token
