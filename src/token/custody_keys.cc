#include "token/custody_keys.h"

#include "token/construction.h"
#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/key_wrapping.h"
#include "token/materials.h"
#include "token/native_key.h"

namespace keyhold::token {
namespace {

constexpr std::string_view kWrappingLabel = "keyhold custody wrapping key";
constexpr std::string_view kSealingLabel = "keyhold custody sealing key";
constexpr std::string_view kCheckValueDomain = "keyhold custody key";
constexpr std::size_t kMacSize = 32;

// A check value is: MAC of the sealing key over what follows · MAC of a throwaway key · that key as
// the wrapping key wrapped it.
constexpr std::size_t kCanaryBegin = 2 * kMacSize;

Bytes check_value_message(ByteView rest) {
  Bytes message;
  append(message, as_bytes(kCheckValueDomain));
  append(message, rest);
  return message;
}

}  // namespace

Result<WrappingCapability> CustodyKeys::wrapping() {
  const std::lock_guard lock(wrapping_mutex_);
  if (!wrapping_) {
    TRY_ASSIGN(wrapping_, probe_wrapping(link_, capabilities_, random_));
  }
  return *wrapping_;
}

pkcs11::Result<Bytes> CustodyKeys::mac(const Objects& objects, ByteView message) {
  return sign(link_, kSealingKind.spec, objects.sealing, row_of(Algorithm::kHmacSha256),
              {MessageType::kRaw, message});
}

pkcs11::Result<Bytes> CustodyKeys::canary_mac(const Objects& objects, ByteView blob) {
  PKCS11_TRY_ASSIGN(
      const SessionObject canary,
      unwrap(link_, blob, objects.wrapping,
             unwrapped_to_use_template(link_.profile(), kSealingKind, Construction::kNative)));
  return sign(link_, kSealingKind.spec, canary.handle(), row_of(Algorithm::kHmacSha256),
              {MessageType::kRaw, as_bytes(kCheckDomain)});
}

pkcs11::Result<Bytes> CustodyKeys::make_check_value(const Objects& objects,
                                                    MechanismType mechanism) {
  const Profile& profile = link_.profile();
  PKCS11_TRY_ASSIGN(const Bytes blob,
                    generate_wrapped(link_, generation_of(profile, *find_kind(KeyForm::kHmac)),
                                     generated_to_wrap_template(profile, kSealingKind), mechanism,
                                     objects.wrapping));
  PKCS11_TRY_ASSIGN(Bytes rest, canary_mac(objects, blob));
  append(rest, blob);
  PKCS11_TRY_ASSIGN(Bytes value, mac(objects, check_value_message(rest)));
  append(value, rest);
  return value;
}

pkcs11::Result<Proof> CustodyKeys::prove(const Objects& objects, ByteView check_value) {
  if (check_value.size() <= kCanaryBegin) return Proof::kDiffers;
  PKCS11_TRY_ASSIGN(const Bytes sealed,
                    mac(objects, check_value_message(check_value.subspan(kMacSize))));
  if (!equal_in_constant_time(sealed, check_value.first(kMacSize))) return Proof::kDiffers;
  const auto canary = canary_mac(objects, check_value.subspan(kCanaryBegin));
  if (!canary) {
    // The blob is as it was sealed, so that one which does not unwrap is the wrapping key's fault.
    if (link_.says_bad_wrapped_key(canary.error()) && link_.look()) return Proof::kDiffers;
    return canary.error();
  }
  return equal_in_constant_time(*canary, check_value.subspan(kMacSize, kMacSize)) ? Proof::kHolds
                                                                                  : Proof::kDiffers;
}

pkcs11::Result<CustodyKeys::Objects> CustodyKeys::make(const ObjectName& name) {
  const Profile& profile = link_.profile();
  const auto lock = objects_.making();
  const auto generate = [&](CK_MECHANISM_TYPE type, const pkcs11::Attributes& attributes) {
    const auto mechanism = pkcs11::Mechanism::plain(type);
    return link_.once([&](pkcs11::Session& session) {
      return pkcs11::generate_key(session, mechanism, attributes);
    });
  };
  Objects objects;
  PKCS11_TRY_ASSIGN(objects.wrapping, generate(CKM_AES_KEY_GEN, custody_wrapping_key_template(
                                                                    profile, Residence::kToken,
                                                                    name.bytes(), kWrappingLabel)));
  PKCS11_TRY_ASSIGN(objects.sealing,
                    generate(generation_of(profile, *find_kind(KeyForm::kHmac)),
                             custody_sealing_key_template(profile, Residence::kToken, name.bytes(),
                                                          kSealingLabel)));
  return objects;
}

Result<Bytes> CustodyKeys::generate(const Inside& inside, const ObjectName& name) {
  TRY_ASSIGN(const WrappingCapability able, wrapping());
  TRY(able.check(kSealingKind));
  const std::timespec mark = StorageFolders::mark();
  const auto made = make(name);
  if (!made) return guard_.fail(inside, made.error(), "generating a custody key", Repeatable::kNo);
  TRY(folders_.sync_changes_since(mark));
  for (const pkcs11::ObjectHandle object : {made->wrapping, made->sealing}) {
    const auto shown = objects_.read(object);
    if (!shown) return guard_.fail(inside, shown.error(), "reading a new custody key");
    if (const auto flaw = custody_flaw(*shown)) return internal("a new custody key: " + *flaw);
  }
  auto check_value = make_check_value(*made, able.mechanism);
  if (!check_value) return guard_.fail(inside, check_value.error(), "proving a new custody key");
  objects_.remember(name, {made->wrapping, made->sealing});
  return std::move(*check_value);
}

Result<CustodyKeys::Objects> CustodyKeys::look(const Inside& inside, const ObjectName& name,
                                               TokenObjects::Look look) {
  TRY_ASSIGN(const auto found, objects_.handles(inside, name, look));
  std::vector<pkcs11::ObjectHandle> wrapping;
  std::vector<pkcs11::ObjectHandle> sealing;
  for (const pkcs11::ObjectHandle object : found) {
    const auto type = link_.on_session([&](pkcs11::Session& session) {
      return pkcs11::get_attribute(session, object, CKA_KEY_TYPE);
    });
    const auto shown = objects_.read(object);
    if (!type || !shown) {
      const pkcs11::Error& error = type ? shown.error() : type.error();
      if (look == TokenObjects::Look::kIndex && error.handle_stale()) {
        return this->look(inside, name, TokenObjects::Look::kToken);
      }
      return guard_.fail(inside, error, "reading a custody key");
    }
    if (const auto flaw = custody_flaw(*shown)) {
      return internal("the custody key " + name.hex() + ": " + *flaw);
    }
    (type->number() == CKK_AES ? wrapping : sealing).push_back(object);
  }
  // Of two, one is somebody else's, and what is wrapped under it would be theirs.
  if (wrapping.size() != 1 || sealing.size() != 1) {
    if (look == TokenObjects::Look::kIndex) {
      return this->look(inside, name, TokenObjects::Look::kToken);
    }
    return internal("not one key wraps and one seals under the name " + name.hex());
  }
  return Objects{wrapping.front(), sealing.front()};
}

Result<CustodyKeys::Objects> CustodyKeys::find(const Inside& inside, const ObjectName& name) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(name);
    if (found != known_.end() && link_.current(found->second.objects.wrapping)) {
      return found->second.objects;
    }
  }
  TRY_ASSIGN(const Objects objects, look(inside, name, TokenObjects::Look::kIndex));
  const std::lock_guard lock(mutex_);
  known_.insert_or_assign(name, Known{objects, {}});
  return objects;
}

Result<void> CustodyKeys::check(const Inside& inside, const CustodyKey& key) {
  forget(key.object_name);
  return expect_proven(inside, key);
}

Result<void> CustodyKeys::expect_proven(const Inside& inside, const CustodyKey& key) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(key.object_name);
    if (found != known_.end() && link_.current(found->second.objects.wrapping) &&
        equal_in_constant_time(found->second.proven, key.check_value)) {
      return {};
    }
  }
  TRY_ASSIGN(const Proof proof,
             with(inside, key.object_name, "proving a custody key",
                  [&](const Objects& objects) { return prove(objects, key.check_value); }));
  if (proof != Proof::kHolds) {
    return internal("the custody key " + key.object_name.hex() +
                    " is not the one that its check value was taken of");
  }
  const std::lock_guard lock(mutex_);
  if (const auto found = known_.find(key.object_name); found != known_.end()) {
    found->second.proven = key.check_value;
  }
  return {};
}

Result<Bytes> CustodyKeys::seal(const Inside& inside, const ObjectName& name, ByteView message) {
  return with(inside, name, "sealing a wrapped key material",
              [&](const Objects& objects) { return mac(objects, message); });
}

void CustodyKeys::forget(const ObjectName& name) {
  const std::lock_guard lock(mutex_);
  known_.erase(name);
}

void CustodyKeys::forget_all() {
  const std::lock_guard lock(mutex_);
  known_.clear();
}

}  // namespace keyhold::token
