#include "token/token_objects.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace keyhold::token {

TokenObjects::Searching TokenObjects::searching() {
  if (link_.profile().object_writes == ObjectWrites::kParallel) return {};
  const std::lock_guard turn(turn_);
  return Searching(objects_);
}

TokenObjects::Making TokenObjects::making() {
  if (link_.profile().object_writes == ObjectWrites::kParallel) return {};
  const std::lock_guard turn(turn_);
  return Making(objects_);
}

pkcs11::Result<TokenObjects::Sorted> TokenObjects::sort(const ObjectIndex::Handles& objects) {
  Sorted sorted;
  for (const pkcs11::ObjectHandle object : objects) {
    PKCS11_TRY_ASSIGN(const auto shown, link_.on_session([&](pkcs11::Session& session) {
      return pkcs11::get_attribute(session, object, CKA_CLASS);
    }));
    (shown.number() == CKO_PUBLIC_KEY ? sorted.public_keys : sorted.keys).push_back(object);
  }
  return sorted;
}

Result<void> TokenObjects::index() {
  const std::uint64_t generation = link_.module().object_generation();
  auto found = [this] {
    const Searching lock = searching();
    pkcs11::Attributes all;
    all.yes(CKA_TOKEN);
    return link_.find_objects(all);
  }();
  if (!found) return to_error(found.error(), "indexing the token's objects");
  std::unordered_map<ObjectName, ObjectIndex::Handles> index;
  for (const pkcs11::ObjectHandle object : *found) {
    const auto id = link_.on_session(
        [&](pkcs11::Session& session) { return pkcs11::get_attribute(session, object, CKA_ID); });
    if (!id || id->shown != pkcs11::Shown::kShown) continue;  // a zombie, or no key
    if (const auto name = ObjectName::from_bytes(id->value.view())) {
      index[*name].push_back(object);
    }
  }
  index_.replace(std::move(index));
  indexed_generation_ = generation;
  return {};
}

pkcs11::Result<ObjectIndex::Handles> TokenObjects::search(const ObjectName& name) {
  pkcs11::Attributes matching;
  matching.yes(CKA_TOKEN).bytes(CKA_ID, name.bytes());
  PKCS11_TRY_ASSIGN(ObjectIndex::Handles found, link_.find_objects(matching));
  index_.set(name, found);
  return found;
}

Result<ObjectIndex::Handles> TokenObjects::handles(const Inside& inside, const ObjectName& name,
                                                   Look look) {
  if (indexed_generation_ != link_.module().object_generation()) {
    // A lost login has made every handle stale: one pass is cheaper than a search for each name.
    std::lock_guard lock(indexing_);
    if (indexed_generation_ != link_.module().object_generation()) {
      const auto indexed = index();
      if (!indexed) return guard_.lost(inside, indexed.error().detail());
    }
  }
  const auto known = index_.find(name);
  if (look == Look::kIndex && known &&
      std::ranges::all_of(*known, [this](const auto& handle) { return link_.current(handle); })) {
    return *known;
  }
  const Searching lock = searching();
  // Asked again: a destruction that was waited for has taken the name out of the index.
  const bool was_there = index_.find(name).has_value();
  auto found = search(name);
  if (!found) return guard_.fail(inside, found.error(), "looking for an object");
  if (found->empty()) return guard_.missing(inside, name, was_there);
  return std::move(*found);
}

pkcs11::Result<ObjectEvidence> TokenObjects::read(pkcs11::ObjectHandle object) {
  static constexpr CK_ATTRIBUTE_TYPE kTypes[] = {
      CKA_LOCAL,       CKA_SENSITIVE,         CKA_ALWAYS_SENSITIVE,
      CKA_EXTRACTABLE, CKA_NEVER_EXTRACTABLE, CKA_KEY_GEN_MECHANISM,
      CKA_LABEL};
  PKCS11_TRY_ASSIGN(const auto values, link_.on_session([&](pkcs11::Session& session) {
    return pkcs11::get_attributes(session, object, kTypes);
  }));
  ObjectEvidence shown;
  shown.local = values[0].flag();
  shown.sensitive = values[1].flag();
  shown.always_sensitive = values[2].flag();
  shown.extractable = values[3].flag();
  shown.never_extractable = values[4].flag();
  const auto mechanism = values[5].number();
  if (mechanism && *mechanism != CK_UNAVAILABLE_INFORMATION) shown.key_gen_mechanism = *mechanism;
  shown.label = as_text(values[6].value.view());
  return shown;
}

Result<ObjectEvidence> TokenObjects::evidence(const Inside& inside, const ObjectName& name) {
  for (const Look look : {Look::kIndex, Look::kToken}) {
    TRY_ASSIGN(const auto found, handles(inside, name, look));
    const auto sorted = sort(found);
    if (sorted && sorted->keys.size() != 1) {
      return internal("not one key has the name " + name.hex());
    }
    const auto shown =
        sorted ? read(sorted->keys.front()) : pkcs11::Result<ObjectEvidence>(sorted.error());
    if (shown) return *shown;
    if (look == Look::kToken || !shown.error().handle_stale()) {
      return guard_.fail(inside, shown.error(), "reading an object");
    }
  }
  return internal("unreachable");
}

Result<std::vector<ListedObject>> TokenObjects::list(const Inside& inside) {
  // A zombie may lack any attribute, so the filter cannot be one.
  auto found = [this] {
    const Searching lock = searching();
    return link_.find_objects(pkcs11::Attributes());
  }();
  if (!found) return guard_.fail(inside, found.error(), "listing objects");
  static constexpr CK_ATTRIBUTE_TYPE kTypes[] = {CKA_TOKEN, CKA_CLASS, CKA_ID, CKA_LABEL};
  std::vector<ListedObject> listed;
  for (const pkcs11::ObjectHandle object : *found) {
    const auto read = [&] {
      return link_.on_session([&](pkcs11::Session& session) {
        return pkcs11::get_attributes(session, object, kTypes);
      });
    };
    auto values = read();
    // One that is destroyed while it is read may show as little as a zombie; asked again, its
    // handle is stale.
    if (!values || !(*values)[0].flag()) values = read();
    if (!values) {
      if (values.error().handle_stale()) continue;  // destroyed meanwhile
      if (values.error().token_gone())
        return guard_.fail(inside, values.error(), "reading an object");
      listed.push_back({});  // a zombie that shows nothing at all
      continue;
    }
    const auto& [of_token, of_class, id, label] =
        std::tie((*values)[0], (*values)[1], (*values)[2], (*values)[3]);
    if (of_token.flag() == false) continue;
    const auto kind = of_class.number();
    const bool key =
        !kind || *kind == CKO_SECRET_KEY || *kind == CKO_PRIVATE_KEY || *kind == CKO_PUBLIC_KEY;
    if (!key) continue;
    const ByteView bytes = id.value.view();
    listed.push_back({Bytes(bytes.begin(), bytes.end()), std::string(as_text(label.value.view()))});
  }
  return listed;
}

}  // namespace keyhold::token
