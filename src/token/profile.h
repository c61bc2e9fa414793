// A key store's profile: how to reach one family of PKCS#11 tokens, what it does wrongly, and what
// it may be asked for. Written in TOML (hsm-config/), every line with its reason beside it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace keyhold::token {

/// What message keys are derived by.
enum class Derivation : std::uint8_t {
  kNone,  ///< the token cannot: messages are encrypted under the material itself
  kEcb,   ///< CKM_AES_ECB_ENCRYPT_DATA
};

/// Which calls that change the token's objects may run beside each other.
enum class ObjectWrites : std::uint8_t {
  kParallel,
  kSerialised,  ///< those that make objects, but never beside one that searches or destroys
};

/// Whether a copy of each token's `token.object` (SoftHSM's file of PINs and of the key that all
/// private objects are encrypted under) is kept beside the token's folder.
enum class TokenObjectCopy : std::uint8_t { kNone, kKept };

/// Who removes the padding of RSAES-OAEP where the token does not know the hash that is wanted.
/// Material that is used so is of the custody class host-staged.
enum class OaepPadding : std::uint8_t {
  kRemovedInToken,    ///< nobody else: what the token does not know is refused
  kRemovedInService,  ///< the service, in locked and wiped memory, after the bare RSA operation
};

/// Who makes the pairs of GenerateDataKeyPair, which leave in any case.
enum class DataKeyPairs : std::uint8_t {
  kMadeInToken,    ///< readable session objects, for tokens that let these out
  kMadeInService,  ///< OpenSSL, seeded from the token's generator
};

/// Whether message keys are private objects, as everything else is. A public session object is seen
/// by the same process's sessions alone, and its value by none, since it is sensitive.
enum class MessageKeyObjects : std::uint8_t { kPublic, kPrivate };

/// Who makes the IVs of AES-GCM, and where they are handed over.
enum class GcmIv : std::uint8_t {
  kFromCaller,  ///< 12 bytes of the service's, random
  kInBuffer,    ///< the token writes 12 bytes of its own into a buffer of zeros (CloudHSM, nShield)
  kBehindMessage,  ///< 16 bytes of its own, behind ciphertext and tag (Luna in FIPS mode)
};
/// In bytes.
std::size_t iv_size_of(GcmIv iv);

/// The CKA_KEY_TYPE of HMAC keys.
enum class HmacKeyType : std::uint8_t {
  kGenericSecret,  ///< CKK_GENERIC_SECRET
  kOfHash,         ///< CKK_SHA256_HMAC and its kin
};

/// How generated symmetric and HMAC key material is held. Other material is resident in any case.
enum class MaterialCustody : std::uint8_t {
  kResident,  ///< a token object for each
  kWrapped,   ///< outside of the token, wrapped under a key in it: for small tokens and many keys
};

/// What a token is given as the initial value of AES key wrap.
enum class WrapIv : std::uint8_t {
  kNull,  ///< nothing: it takes the standard's
  /// The standard's, spelled out. Never another: it is what tells a damaged blob from a whole one.
  kFromCaller,
};

/// Whether a key that may be wrapped can be CKA_SENSITIVE too.
enum class SensitiveWithExtractable : std::uint8_t {
  kYes,
  kNo,  ///< the token refuses it: until it is wrapped and destroyed, such a key could be read
};

/// How a module is told that several threads will call it.
enum class InitLocking : std::uint8_t {
  kAsItLikes,        ///< by functions that it is given, or by what the operating system has
  kOperatingSystem,  ///< it is given none
};

/// A CK_RV, in a header that knows nothing of PKCS#11.
using ReturnCode = unsigned long;
/// A CK_MECHANISM_TYPE, likewise.
using MechanismType = unsigned long;
/// A CK_ATTRIBUTE_TYPE, likewise.
using AttributeType = unsigned long;

/// Stands for the PIN in Profile::pin_format.
inline constexpr std::string_view kPinPlace = "{pin}";

struct Profile {
  // [module]
  std::string module;  ///< path of the shared object
  /// Set in the process's environment before the module is loaded; an empty value unsets.
  std::vector<std::pair<std::string, std::string>> module_env;
  /// Handed to C_Initialize as pReserved, for modules that take their configuration so (NSS).
  std::string init_reserved;
  InitLocking init_locking = InitLocking::kAsItLikes;

  // [token]: at least one of them; all that are given must match exactly one token.
  std::string token_label;
  std::string token_serial;
  /// What C_Login is given, `{pin}` standing for the PIN: `CU-name:{pin}`, `0001{pin}`.
  std::string pin_format = "{pin}";

  // [sessions]
  std::size_t max_sessions = 34;  ///< open at once, the parked one and the owner of keys included
  std::size_t calls_at_once = 32;
  std::chrono::milliseconds call_timeout{10'000};
  /// The same for calls that seek primes, which no one can tell the length of.
  std::chrono::milliseconds generation_timeout{300'000};
  /// Between two C_OpenSession; 0: none.
  std::chrono::milliseconds open_interval{0};

  // [recovery]
  std::chrono::milliseconds backoff_first{100};
  std::chrono::milliseconds backoff_last{30'000};
  /// A call that has not come back after so long never will: the process asks to be restarted.
  std::chrono::milliseconds restart_after_hang{60'000};
  /// Answers that mean a lost token here, beside those that mean it everywhere.
  std::vector<ReturnCode> reinit_on;

  // [keys]
  Derivation derivation = Derivation::kEcb;
  std::vector<AttributeType> template_drop;  ///< attributes the token does not know
  std::vector<ReturnCode> decrypt_bad_codes;
  /// Of C_UnwrapKey, beside those that mean a bad wrapped key everywhere.
  std::vector<ReturnCode> unwrap_bad_codes;
  OaepPadding oaep_padding = OaepPadding::kRemovedInToken;
  DataKeyPairs data_key_pairs = DataKeyPairs::kMadeInService;
  GcmIv gcm_iv = GcmIv::kFromCaller;
  HmacKeyType hmac_key_type = HmacKeyType::kGenericSecret;
  MechanismType hmac_generation = 0;  ///< 0: CKM_GENERIC_SECRET_KEY_GEN
  MaterialCustody custody = MaterialCustody::kResident;
  /// By which material is wrapped; 0: whichever AES key wrap of the token brings keys back.
  MechanismType wrap_mechanism = 0;
  WrapIv wrap_iv = WrapIv::kNull;
  SensitiveWithExtractable sensitive_with_extractable = SensitiveWithExtractable::kYes;

  // [message_keys]
  std::uint64_t message_key_max_messages = std::uint64_t{1} << 31;
  milliseconds message_key_max_age = kDay;
  std::size_t message_key_cache = 4096;  ///< decryption keys held at once
  std::size_t material_cache = 1024;  ///< materials whose check, header and current keys are held
  std::size_t unwrapped_material_cache = 1024;  ///< materials of wrapped custody held unwrapped
  MessageKeyObjects message_key_objects = MessageKeyObjects::kPrivate;
  /// Session objects made in one life of the process after which a restart is asked for; 0: never.
  std::uint64_t session_object_limit = 0;

  // [storage]
  std::vector<std::string> sync_folders;
  TokenObjectCopy token_object_copy = TokenObjectCopy::kNone;
  ObjectWrites object_writes = ObjectWrites::kSerialised;
};

/// The mechanisms to wrap by, the best first: the profile's, or all.
std::vector<MechanismType> wrap_mechanisms_of(const Profile& profile);

/// Reads a profile. `overrides` are `section.key=value` lines that replace or add single values:
/// the value is taken as TOML (a bare word as a string). Refused with kValidation, naming the key:
/// text that is not TOML, unknown keys, values of the wrong type or out of range, names that stand
/// for no return code or attribute, and a profile without module or token; a line for each problem.
Result<Profile> parse_profile(std::string_view toml, std::span<const std::string> overrides = {});

/// The same from a file, whose problems begin with its path and the line.
Result<Profile> read_profile(const std::string& path, std::span<const std::string> overrides = {});

}  // namespace keyhold::token
