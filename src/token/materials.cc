#include "token/materials.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "token/construction.h"
#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/public_key.h"

namespace keyhold::token {
std::optional<std::string> openness(const ObjectEvidence& shown) {
  if (!shown.sensitive || !*shown.sensitive) return "CKA_SENSITIVE is not true";
  if (!shown.extractable || *shown.extractable) return "CKA_EXTRACTABLE is not false";
  return std::nullopt;
}

std::optional<std::string> openness(TokenLink& link, pkcs11::ObjectHandle key) {
  const auto flag = [&](CK_ATTRIBUTE_TYPE type) {
    const auto value = link.on_session(
        [&](pkcs11::Session& session) { return pkcs11::get_attribute(session, key, type); });
    return value ? value->flag() : std::nullopt;
  };
  ObjectEvidence shown;
  shown.sensitive = flag(CKA_SENSITIVE);
  shown.extractable = flag(CKA_EXTRACTABLE);
  return openness(shown);
}

std::optional<std::string> custody_flaw(const ObjectEvidence& shown) {
  if (auto open = openness(shown)) return open;
  if (shown.always_sensitive && !*shown.always_sensitive) return "CKA_ALWAYS_SENSITIVE is false";
  if (shown.never_extractable && !*shown.never_extractable) return "CKA_NEVER_EXTRACTABLE is false";
  return std::nullopt;
}

pkcs11::Result<KeyObjects> Materials::make(const ObjectName& name, std::string_view label,
                                           MaterialKind kind) {
  const Profile& profile = link_.profile();
  const KeyFormRow& form = row_of(row_of(kind.spec).form);
  const auto mechanism =
      pkcs11::Mechanism::plain(generation_of(link_.profile(), *find_kind(form.form)));
  const auto lock = objects_.making();
  if (form.parts == KeyParts::kSecret) {
    const pkcs11::Attributes attributes =
        secret_template(profile, Residence::kToken, kind, name.bytes(), label);
    PKCS11_TRY_ASSIGN(const auto key, link_.once([&](pkcs11::Session& session) {
      return pkcs11::generate_key(session, mechanism, attributes);
    }));
    return KeyObjects{key};
  }
  const PairTemplates templates = pair_templates(profile, Residence::kToken, kind,
                                                 capabilities_.custody(kind), name.bytes(), label);
  PKCS11_TRY_ASSIGN(const pkcs11::KeyPair pair, link_.once([&](pkcs11::Session& session) {
    return pkcs11::generate_key_pair(session, mechanism, templates.public_key,
                                     templates.private_key);
  }));
  return KeyObjects{pair.private_key, pair.public_key};
}

pkcs11::Result<GeneratedMaterial> Materials::prove_objects(const KeyObjects& objects,
                                                           MaterialKind kind) {
  PublicKeyPtr public_key;
  if (objects.public_key) {
    PKCS11_TRY_ASSIGN(public_key, read_public_key(link_, kind.spec, *objects.public_key));
  }
  return prove_new(objects, kind, std::move(public_key));
}

pkcs11::Result<GeneratedMaterial> Materials::prove_new(const KeyObjects& objects, MaterialKind kind,
                                                       PublicKeyPtr public_key) {
  if (row_of(kind.spec).form == KeyForm::kAes) return prove_new_for_messages(objects.key);
  GeneratedMaterial made{Construction::kNative, {}, capabilities_.custody(kind)};
  Material material{{}, made.construction, {}, {}, kind, made.custody, std::move(public_key)};
  if (material.public_key) {
    const ByteView spki = material.public_key->spki();
    made.public_key.assign(spki.begin(), spki.end());
  }
  PKCS11_TRY_ASSIGN(material.check_value,
                    make_check_value(link_, kind, objects.key, material.public_key.get()));
  const auto algorithm = capabilities_.proof(kind);
  if (!algorithm) return pkcs11::Error(CKR_MECHANISM_INVALID, "prove_new");
  PKCS11_TRY_ASSIGN(const Proof proof, prove(link_, material, objects, *algorithm, random_));
  if (proof != Proof::kHolds) {
    return pkcs11::Error(CKR_FUNCTION_FAILED, "prove_new", "the two halves are not of one key");
  }
  made.check_value = std::move(material.check_value);
  return made;
}

pkcs11::Result<GeneratedMaterial> Materials::prove_new_for_messages(pkcs11::ObjectHandle handle) {
  const Construction construction = construction_of(link_.profile(), {});
  const Material material{{}, construction, {}, {}};
  PKCS11_TRY_ASSIGN(const auto object, MaterialObject::open(link_, material, handle));
  PKCS11_TRY_ASSIGN(Bytes check_value, object->make_check_value(link_, random_));
  // A use as messages will use it.
  EcbSalt salt;
  random_.fill(salt);
  std::optional<SessionObject> derived;
  if (construction == Construction::kEcbDerived) {
    PKCS11_TRY_ASSIGN(auto key, object->derive_message_key(link_, salt));
    derived.emplace(std::move(key));
  }
  const pkcs11::ObjectHandle key = derived ? derived->handle() : handle;
  Bytes iv(link_.iv_size());
  random_.fill(iv);
  const ByteView aad = as_bytes(kCheckDomain);
  PKCS11_TRY_ASSIGN(const Bytes ciphertext, link_.encrypt(key, iv, aad, kDirectCheckPlaintext));
  PKCS11_TRY_ASSIGN(const Secret plaintext, link_.decrypt(key, iv, aad, ciphertext));
  if (!equal_in_constant_time(plaintext.view(), kDirectCheckPlaintext)) {
    return pkcs11::Error(CKR_FUNCTION_FAILED, "C_Decrypt", "the key does not decrypt its own");
  }
  return GeneratedMaterial{construction, std::move(check_value)};
}

Result<GeneratedMaterial> Materials::generate(const Inside& inside, const ObjectName& name,
                                              std::string_view label, MaterialKind kind) {
  TRY(capabilities_.check_kind(kind));
  const std::timespec mark = StorageFolders::mark();
  const auto made = make(name, label, kind);
  if (!made) return guard_.fail(inside, made.error(), "generating a key", Repeatable::kNo);
  TRY(folders_.sync_changes_since(mark));

  const auto shown = objects_.read(made->key);
  if (!shown) return guard_.fail(inside, shown.error(), "reading a new key");
  if (const auto flaw = custody_flaw(*shown)) return internal("a new key: " + *flaw);
  auto proven = prove_objects(*made, kind);
  if (!proven) return guard_.fail(inside, proven.error(), "proving a new key");
  ObjectIndex::Handles handles{made->key};
  if (made->public_key) handles.push_back(*made->public_key);
  objects_.remember(name, std::move(handles));
  return std::move(*proven);
}

Result<GeneratedMaterial> Materials::generate_wrapped(const Inside& inside, const CustodyKey& key,
                                                      const ObjectName& name, MaterialKind kind,
                                                      ByteView subject) {
  TRY(capabilities_.check_kind(kind));
  TRY_ASSIGN(WrappedMaterials::New made, wrapped_.generate(inside, key, kind));
  auto proven = prove_new(KeyObjects{made.object.handle()}, kind, nullptr);
  if (!proven) return guard_.fail(inside, proven.error(), "proving a new key", Repeatable::kNo);
  proven->custody = Custody::kWrapped;
  auto form = std::make_shared<WrappedForm>(WrappedForm{key.object_name, std::move(made.blob), {}});
  const Material material{.object_name = name,
                          .construction = proven->construction,
                          .check_value = proven->check_value,
                          .subject = Bytes(subject.begin(), subject.end()),
                          .kind = kind,
                          .custody = proven->custody,
                          .wrapped = form};
  TRY_ASSIGN(form->seal, wrapped_.seal(inside, material));
  proven->wrapped = *form;
  return std::move(*proven);
}

Result<std::optional<GeneratedMaterial>> Materials::adopt(const Inside& inside,
                                                          const ObjectName& name,
                                                          MaterialKind kind) {
  using Adopted = std::optional<GeneratedMaterial>;
  auto found = [&] {
    const auto lock = objects_.searching();
    return objects_.search(name);
  }();
  if (!found) return guard_.fail(inside, found.error(), "looking for an object");
  if (found->empty()) {
    // None at all is only an answer from a token that is there.
    const auto seen = link_.look();
    if (!seen) return guard_.lost(inside, "looking for an object: " + seen.error().text());
    return Adopted();
  }
  const auto not_whole = [&](const pkcs11::Error& error) -> Result<Adopted> {
    if (is_gone(error) || lost_before_effect(error) || error.sessions_exhausted()) {
      return guard_.fail(inside, error, "proving a key");
    }
    return Adopted();
  };
  const auto sorted = objects_.sort(*found);
  if (!sorted) return not_whole(sorted.error());
  const std::size_t halves = is_pair(kind.spec) ? 1 : 0;
  if (sorted->keys.size() != 1 || sorted->public_keys.size() != halves) return Adopted();
  KeyObjects objects{sorted->keys.front()};
  if (halves != 0) objects.public_key = sorted->public_keys.front();
  const auto shown = objects_.read(objects.key);
  if (!shown) return not_whole(shown.error());
  // CKA_LOCAL decides nothing, since NSS denies it to all keys. A key that was brought from outside
  // has not always been sensitive, and a zombie does not pass a use.
  if (custody_flaw(*shown)) return Adopted();
  auto proven = prove_objects(objects, kind);
  if (!proven) return not_whole(proven.error());
  // What a kill left was not synced.
  TRY(folders_.sync_changes_since({}));
  return Adopted(std::move(*proven));
}

Result<void> Materials::destroy(const Inside& inside, const ObjectName& name) {
  const std::timespec mark = StorageFolders::mark();
  {
    const auto lock = objects_.searching();
    const auto found = objects_.search(name);
    if (!found) return guard_.fail(inside, found.error(), "looking for an object");
    if (found->empty()) {
      const auto seen = link_.look();
      if (!seen) return guard_.lost(inside, "looking for an object: " + seen.error().text());
    }
    forget(name);
    for (const pkcs11::ObjectHandle object : *found) {
      const auto destroyed = link_.once(
          [&](pkcs11::Session& session) { return pkcs11::destroy_object(session, object); });
      if (!destroyed && !destroyed.error().handle_stale()) {
        return guard_.fail(inside, destroyed.error(), "destroying an object", Repeatable::kNo);
      }
    }
    // A success that left the object there would end with its row gone and the key alive.
    const auto left = objects_.search(name);
    if (!left) return guard_.fail(inside, left.error(), "looking for an object");
    if (!left->empty()) return internal("a destroyed object is still there: " + name.hex());
  }
  forget(name);
  link_.objects().collect();
  return folders_.sync_changes_since(mark);
}

void Materials::forget(const ObjectName& name) {
  cache_.forget(name);
  wrapped_.forget(name);
}

Result<Materials::Base> Materials::base(const Inside& inside, const MaterialObject& object,
                                        const Material& material) {
  if (material.custody != Custody::kWrapped) return Base{object.base()};
  TRY_ASSIGN(UnwrappedObjectPtr unwrapped, wrapped_.unwrapped(inside, material));
  const auto handle = unwrapped->handle();
  return Base{handle, std::move(unwrapped)};
}

Result<MaterialObjectPtr> Materials::open(const Inside& inside, const Material& material) {
  if (material.custody == Custody::kWrapped) {
    TRY_ASSIGN(const UnwrappedObjectPtr unwrapped, wrapped_.unwrapped(inside, material));
    return unwrapped->for_messages;
  }
  for (const auto look : {TokenObjects::Look::kIndex, TokenObjects::Look::kToken}) {
    TRY_ASSIGN(const auto candidates, objects_.handles(inside, material.object_name, look));
    std::vector<MaterialObjectPtr> proven;
    std::optional<pkcs11::Error> trouble;
    for (const pkcs11::ObjectHandle candidate : candidates) {
      const auto object = MaterialObject::open(link_, material, candidate);
      const auto proof = object ? (*object)->prove(link_) : pkcs11::Result<Proof>(object.error());
      if (!proof) {
        trouble = proof.error();
      } else if (*proof == Proof::kHolds) {
        proven.push_back(*object);
      }
    }
    // Beside the one that proves, others of its name are strangers, and no harm.
    if (!proven.empty()) return proven.front();
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

bool Materials::is_current(const MaterialObject& object, const Material& material) const {
  const Material& known = object.material();
  return object.current(link_) && known.construction == material.construction &&
         equal_in_constant_time(known.check_value, material.check_value) &&
         known.subject == material.subject;
}

Result<WorkingMaterialPtr> Materials::working(const Inside& inside, const Material& material) {
  if (const auto found = cache_.find_material(material.object_name);
      found && is_current(*(*found)->object, material)) {
    return *found;
  }
  std::lock_guard lock(opening_[std::hash<ObjectName>()(material.object_name) % opening_.size()]);
  if (const auto found = cache_.find_material(material.object_name)) {
    if (is_current(*(*found)->object, material)) return *found;
    cache_.forget(material.object_name);
  }
  auto opened = std::make_shared<WorkingMaterial>();
  TRY_ASSIGN(opened->object, open(inside, material));
  return cache_.insert_material(material.object_name, std::move(opened));
}

}  // namespace keyhold::token
