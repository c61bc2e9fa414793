#include "token/wrapped_materials.h"

#include <utility>

#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/key_wrapping.h"
#include "token/materials.h"
#include "token/native_key.h"

namespace keyhold::token {
namespace {

constexpr std::string_view kSealDomain = "keyhold wrapped key material";

/// Each part behind its length as 32 bits, big-endian, so that no two rows have one encoding.
Bytes sealed_message(const Material& material) {
  Bytes message;
  for (const ByteView part :
       {as_bytes(kSealDomain), ByteView(material.subject), ByteView(material.object_name.bytes()),
        as_bytes(to_string(material.kind.spec)), as_bytes(to_string(material.kind.usage)),
        as_bytes(to_string(material.custody)), as_bytes(to_string(material.construction)),
        ByteView(material.check_value), ByteView(material.wrapped->custody_key.bytes()),
        ByteView(material.wrapped->blob)}) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      message.push_back(static_cast<std::uint8_t>(part.size() >> shift));
    }
    append(message, part);
  }
  return message;
}

Error not_the_material(const Material& material) {
  return internal("what is unwrapped for " + material.object_name.hex() +
                  " is not the key that its check value was taken of");
}

}  // namespace

Result<WrappedMaterials::New> WrappedMaterials::generate(const Inside& inside,
                                                         const CustodyKey& key, MaterialKind kind) {
  TRY_ASSIGN(const WrappingCapability able, keys_.wrapping());
  TRY(able.check(kind));
  TRY(keys_.expect_proven(inside, key));
  const Profile& profile = link_.profile();
  const auto generation = generation_of(profile, *find_kind(row_of(kind.spec).form));
  TRY_ASSIGN(Bytes blob, keys_.with(inside, key.object_name, "generating a wrapped key material",
                                    [&](const CustodyKeys::Objects& objects) {
                                      return generate_wrapped(
                                          link_, generation,
                                          generated_to_wrap_template(profile, kind), able.mechanism,
                                          objects.wrapping);
                                    }));
  TRY_ASSIGN(SessionObject object,
             unwrap(inside, key.object_name, blob, kind, construction_of(profile, kind)));
  return New{std::move(blob), std::move(object)};
}

Result<Bytes> WrappedMaterials::seal(const Inside& inside, const Material& material) {
  return keys_.seal(inside, material.wrapped->custody_key, sealed_message(material));
}

Result<void> WrappedMaterials::verify_seal(const Inside& inside, const Material& material) {
  if (material.wrapped == nullptr) {
    return internal("the row of " + material.object_name.hex() + " holds no wrapped key material");
  }
  TRY_ASSIGN(const Bytes seal, seal(inside, material));
  if (equal_in_constant_time(seal, material.wrapped->seal)) return {};
  return internal("the row of " + material.object_name.hex() + " is not as it was sealed");
}

Result<SessionObject> WrappedMaterials::unwrap(const Inside& inside, const ObjectName& custody_key,
                                               ByteView blob, MaterialKind kind,
                                               Construction construction) {
  const pkcs11::Attributes attributes =
      unwrapped_to_use_template(link_.profile(), kind, construction);
  TRY_ASSIGN(SessionObject object, keys_.with(inside, custody_key, "unwrapping a key material",
                                              [&](const CustodyKeys::Objects& objects) {
                                                return token::unwrap(link_, blob, objects.wrapping,
                                                                     attributes);
                                              }));
  // Tokens are known that make of it what they like.
  const auto shown = objects_.read(object.handle());
  if (!shown) return guard_.fail(inside, shown.error(), "reading an unwrapped key material");
  if (const auto open = openness(*shown)) return internal("an unwrapped key material: " + *open);
  return object;
}

pkcs11::Result<UnwrappedObjectPtr> WrappedMaterials::prove(const Material& material,
                                                           SessionObject object) {
  auto unwrapped = std::make_shared<UnwrappedObject>();
  unwrapped->material = material;
  unwrapped->object = std::make_shared<const SessionObject>(std::move(object));
  if (material.construction == Construction::kNative) {
    PKCS11_TRY_ASSIGN(const Proof proof,
                      token::prove(link_, material, KeyObjects{unwrapped->handle()},
                                   *capabilities_.proof(material.kind), random_));
    if (proof != Proof::kHolds) return UnwrappedObjectPtr();
    return UnwrappedObjectPtr(std::move(unwrapped));
  }
  PKCS11_TRY_ASSIGN(const auto opened, MaterialObject::open(link_, material, unwrapped->handle()));
  PKCS11_TRY_ASSIGN(const Proof proof, opened->prove(link_));
  if (proof != Proof::kHolds) return UnwrappedObjectPtr();
  if (material.construction == Construction::kDirect) {
    opened->hold(unwrapped->object);
  } else {
    opened->leave_base();
  }
  unwrapped->for_messages = opened;
  return UnwrappedObjectPtr(std::move(unwrapped));
}

Result<UnwrappedObjectPtr> WrappedMaterials::open(const Inside& inside, const Material& material) {
  TRY(capabilities_.check_kind(material.kind));
  TRY(verify_seal(inside, material));
  TRY_ASSIGN(SessionObject object,
             unwrap(inside, material.wrapped->custody_key, material.wrapped->blob, material.kind,
                    material.construction));
  auto proven = prove(material, std::move(object));
  if (!proven) {
    return guard_.fail(inside, proven.error(), "opening " + material.object_name.hex());
  }
  if (*proven == nullptr) return not_the_material(material);
  return std::move(*proven);
}

bool WrappedMaterials::is_current(const UnwrappedObject& unwrapped,
                                  const Material& material) const {
  const Material& known = unwrapped.material;
  return link_.current(unwrapped.handle()) && known.kind == material.kind &&
         known.construction == material.construction && known.subject == material.subject &&
         equal_in_constant_time(known.check_value, material.check_value);
}

Result<UnwrappedObjectPtr> WrappedMaterials::unwrapped(const Inside& inside,
                                                       const Material& material) {
  const ObjectName& name = material.object_name;
  if (const auto found = unwrapped_.find(name); found && is_current(**found, material)) {
    return *found;
  }
  const std::lock_guard lock(opening_[std::hash<ObjectName>()(name) % opening_.size()]);
  if (const auto found = unwrapped_.find(name)) {
    if (is_current(**found, material)) return *found;
    unwrapped_.erase(name);
  }
  TRY_ASSIGN(UnwrappedObjectPtr fresh, open(inside, material));
  return unwrapped_.insert(name, std::move(fresh));
}

Result<void> WrappedMaterials::check(const Inside& inside, const Material& material) {
  TRY(open(inside, material));
  return {};
}

Result<WrappedForm> WrappedMaterials::rewrap(const Inside& inside, const Material& material,
                                             const CustodyKey& key) {
  TRY(verify_seal(inside, material));
  TRY_ASSIGN(const WrappingCapability able, keys_.wrapping());
  TRY(able.check(material.kind));
  TRY(keys_.expect_proven(inside, key));
  const pkcs11::Attributes to_wrap =
      unwrapped_to_wrap_template(link_.profile(), material.kind, material.construction);
  const WrappedForm& old = *material.wrapped;
  Bytes blob;
  for (int attempt = 0;; ++attempt) {
    TRY_ASSIGN(const auto from, keys_.find(inside, old.custody_key));
    TRY_ASSIGN(const auto to, keys_.find(inside, key.object_name));
    auto wrapped =
        token::rewrap(link_, old.blob, from.wrapping, to_wrap, able.mechanism, to.wrapping);
    if (wrapped) {
      blob = std::move(*wrapped);
      break;
    }
    if (attempt != 0 || !wrapped.error().handle_stale()) {
      return guard_.fail(inside, wrapped.error(), "wrapping a key material anew", Repeatable::kNo);
    }
    keys_.forget(old.custody_key);
    keys_.forget(key.object_name);
  }
  TRY_ASSIGN(SessionObject object,
             unwrap(inside, key.object_name, blob, material.kind, material.construction));
  const auto proven = prove(material, std::move(object));
  if (!proven) return guard_.fail(inside, proven.error(), "proving what was wrapped anew");
  if (*proven == nullptr) return not_the_material(material);
  auto form = std::make_shared<WrappedForm>(WrappedForm{key.object_name, std::move(blob), {}});
  Material sealed = material;
  sealed.wrapped = form;
  TRY_ASSIGN(form->seal, seal(inside, sealed));
  return *form;
}

Result<WrappedEvidence> WrappedMaterials::evidence(const Inside& inside, const Material& material) {
  WrappedEvidence shown;
  TRY(verify_seal(inside, material));
  TRY_ASSIGN(shown.wrapping_key,
             keys_.with(inside, material.wrapped->custody_key, "reading a custody key",
                        [&](const CustodyKeys::Objects& objects) {
                          return objects_.read(objects.wrapping);
                        }));
  TRY_ASSIGN(const SessionObject object,
             unwrap(inside, material.wrapped->custody_key, material.wrapped->blob, material.kind,
                    material.construction));
  const auto read = objects_.read(object.handle());
  if (!read) return guard_.fail(inside, read.error(), "reading an unwrapped key material");
  shown.unwrapped = *read;
  return shown;
}

}  // namespace keyhold::token
