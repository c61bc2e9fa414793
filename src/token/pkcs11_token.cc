#include "token/pkcs11_token.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "token/admission_trial.h"
#include "token/call_gate.h"
#include "token/construction.h"
#include "token/key_template.h"
#include "token/message_key.h"
#include "token/object_index.h"
#include "token/recovery.h"
#include "token/sharded_lru.h"
#include "token/storage_folders.h"
#include "token/token_link.h"

namespace keyhold::token {
namespace {

constexpr int kDoubts = 3;

/// A message key in the cache: whose, and under which salt.
struct CacheKey {
  ObjectName material;
  EcbSalt salt;
  bool operator==(const CacheKey&) const = default;
};

struct CacheKeyHash {
  std::size_t operator()(const CacheKey& key) const {
    // Salts come from ciphertexts, but only those whose header tag was right get here, so nobody
    // chooses them to collide.
    std::size_t salt;
    std::memcpy(&salt, key.salt.data(), sizeof salt);
    return std::hash<ObjectName>()(key.material) ^ salt;
  }
};

Construction construction_of(const Profile& profile) {
  return profile.derivation == Derivation::kEcb ? Construction::kEcbDerived : Construction::kDirect;
}

/// Where the token shows an attribute and it is not what the template asked for.
std::optional<std::string> custody_flaw(const ObjectEvidence& shown) {
  if (!shown.sensitive || !*shown.sensitive) return "CKA_SENSITIVE is not true";
  if (!shown.extractable || *shown.extractable) return "CKA_EXTRACTABLE is not false";
  if (shown.always_sensitive && !*shown.always_sensitive) return "CKA_ALWAYS_SENSITIVE is false";
  if (shown.never_extractable && !*shown.never_extractable) return "CKA_NEVER_EXTRACTABLE is false";
  return std::nullopt;
}

}  // namespace

class Pkcs11Token::Impl {
 public:
  Impl(const Profile& profile, std::unique_ptr<TokenLink> link, AdmissionReport admission,
       const Clock& clock, Random& random)
      : profile_(profile),
        clock_(clock),
        random_(random),
        link_(std::move(link)),
        admission_(std::move(admission)),
        folders_(profile.sync_folders, TokenObjectCopy::kNone),
        materials_(profile.material_cache),
        message_keys_(profile.message_key_cache),
        gate_(profile.calls_at_once),
        recovery_(gate_, profile_, random_,
                  {[this] { return restart(); }, [this] { return !link_->pin_refused(); },
                   [this] { tick(); }}) {}

  ~Impl() {
    // Nothing may use the token from here on: first its thread ends, then the keys are let go.
    recovery_.stop();
    forget_keys();
  }

  Result<void> start() {
    TRY(index_objects());
    TRY(make_health_key());
    recovery_.start();
    return {};
  }

  // Everything public below takes a place inside first.

  Result<GeneratedMaterial> generate_material(const ObjectName& name, std::string_view label);
  Result<std::optional<GeneratedMaterial>> adopt_material(const ObjectName& name);
  Result<void> check_material(const Material& material);
  Result<void> destroy_material(const ObjectName& name);
  Result<ObjectEvidence> evidence(const ObjectName& name);
  Result<std::vector<ListedObject>> list_objects();
  Result<MessageKeyPtr> encryption_key(const Material& material);
  Result<MessageKeyPtr> decryption_key(const Material& material, ByteView salt,
                                       ByteView header_tag);
  Result<Bytes> encrypt(const MessageKey& key, ByteView iv, ByteView aad, ByteView plaintext);
  Result<Secret> decrypt(const MessageKey& key, ByteView iv, ByteView aad,
                         ByteView ciphertext_and_tag);
  Result<Secret> random(std::size_t size);
  Result<void> check();

  const AdmissionReport& admission() const { return admission_; }
  const TokenLink& link() const { return *link_; }

  Usage usage() {
    return {link_->objects().made(), link_->objects().living(), message_keys_.size(),
            recovery_.done()};
  }

  Restart restart_due() const {
    const std::uint64_t limit = profile_.session_object_limit;
    return limit != 0 && link_->objects().made() >= limit ? Restart::kDue : Restart::kNotNeeded;
  }

 private:
  /// The current message key of a material, and the material's object.
  struct Working {
    MaterialObjectPtr object;
    std::mutex mutex;
    SessionKeyPtr current;  // guarded by mutex
  };
  using WorkingPtr = std::shared_ptr<Working>;
  using Writing = std::unique_lock<std::mutex>;

  /// A place inside the token.
  struct Inside {
    CallGate::Call call;
    std::uint64_t recoveries;
  };
  Result<Inside> enter() {
    const std::uint64_t recoveries = recovery_.done();
    TRY_ASSIGN(CallGate::Call call, gate_.enter(profile_.call_timeout));
    return Inside{std::move(call), recoveries};
  }

  /// Searching and changing objects at once makes some tokens fail.
  Writing writing() {
    return profile_.object_writes == ObjectWrites::kSerialised ? Writing(writes_) : Writing();
  }

  // Errors.
  /// Whether a failure of this kind says something of the token's health: generating fails on a
  /// full disk too, which initialising the module does not empty.
  enum class Repeatable : std::uint8_t { kYes, kNo };
  Error fail(const Inside& inside, const pkcs11::Error& error, std::string_view what,
             Repeatable repeatable = Repeatable::kYes);
  bool may_restart();
  void no_doubt() {
    if (doubts_.load(std::memory_order_relaxed) != 0) doubts_ = 0;
  }
  Error lost(const Inside& inside, std::string_view what) {
    recovery_.report(inside.recoveries, what);
    return unavailable(what);
  }
  Error missing(const Inside& inside, const ObjectName& name, bool was_there);

  // Recovery.
  Result<void> restart();
  void tick();
  void forget_keys();
  Result<void> make_health_key();
  pkcs11::Result<Proof> health();

  // Objects.
  Result<void> index_objects();
  pkcs11::Result<ObjectIndex::Handles> search(const ObjectName& name);
  enum class Look : std::uint8_t { kIndex, kToken };
  Result<ObjectIndex::Handles> handles(const Inside& inside, const ObjectName& name, Look look);
  pkcs11::Result<ObjectEvidence> read_evidence(pkcs11::ObjectHandle object);

  // Materials.
  pkcs11::Result<GeneratedMaterial> prove_new(const ObjectName& name, pkcs11::ObjectHandle handle,
                                              Construction construction);
  Result<MaterialObjectPtr> open_material(const Inside& inside, const Material& material);
  Result<WorkingPtr> working(const Inside& inside, const Material& material);
  void forget(const ObjectName& name);

  // Message keys.
  pkcs11::Result<SessionKeyPtr> derive(const MaterialObjectPtr& object, const EcbSalt& salt);
  SessionKeyPtr remember(SessionKeyPtr key);
  Result<SessionKeyPtr> current_key(const Inside& inside, const Material& material);
  Result<SessionKeyPtr> derived_key(const Inside& inside, const Material& material,
                                    const EcbSalt& salt);
  Result<SessionKeyPtr> renewed(const Inside& inside, const SessionKey& key);
  Error judge(const Inside& inside, const SessionKey& key, const pkcs11::Error& error);
  const SessionKey& own(const MessageKey& key) const { return static_cast<const SessionKey&>(key); }

  const Profile profile_;
  const Clock& clock_;
  Random& random_;
  const std::unique_ptr<TokenLink> link_;
  const AdmissionReport admission_;
  const StorageFolders folders_;
  ObjectIndex index_;
  std::atomic<std::uint64_t> indexed_generation_{0};
  std::mutex indexing_;
  std::mutex writes_;
  std::array<std::mutex, 16> opening_;  ///< so that a material is not opened by many at once
  ShardedLru<ObjectName, WorkingPtr> materials_;
  ShardedLru<CacheKey, SessionKeyPtr, CacheKeyHash> message_keys_;
  std::mutex health_mutex_;
  std::optional<SessionObject> health_key_;
  Bytes health_answer_;
  std::atomic<bool> restart_said_{false};
  std::atomic<int> doubts_{0};  ///< failures of a token that seemed well, since its last success
  std::atomic<std::int64_t> doubtful_restart_at_{0};
  CallGate gate_;
  Recovery recovery_;
};

// ---------------------------------------------------------------------------------------- errors

Error Pkcs11Token::Impl::fail(const Inside& inside, const pkcs11::Error& error,
                              std::string_view what, Repeatable repeatable) {
  Error answer = to_error(error, what);
  if (error.pin_refused() || error.token_gone()) return lost(inside, answer.detail());
  if (lost_before_effect(error)) {
    // A fresh session fared no better, or the call may not be repeated.
    const auto seen = link_->look();
    if (!seen) recovery_.report(inside.recoveries, seen.error().text());
    return answer;
  }
  // Codes that some tokens answer when they are gone, and others to trouble of a single object or a
  // full disk: a use of known answer decides.
  if (error.fate() != pkcs11::Fate::kSessionBroken && !error.ambiguous()) return answer;
  const auto seen = link_->look();
  const auto healthy = seen ? health() : pkcs11::Result<Proof>(seen.error());
  if (!healthy || *healthy != Proof::kHolds) return lost(inside, answer.detail());
  // A token that is well and goes on failing is initialised again, now and then.
  if (repeatable == Repeatable::kYes && doubts_.fetch_add(1) + 1 >= kDoubts && may_restart()) {
    doubts_ = 0;
    return lost(inside, answer.detail());
  }
  return internal(answer.detail());
}

bool Pkcs11Token::Impl::may_restart() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const std::int64_t moment = std::chrono::duration_cast<milliseconds>(now).count();
  std::int64_t last = doubtful_restart_at_.load();
  if (last != 0 && moment - last < profile_.backoff_last.count()) return false;
  return doubtful_restart_at_.compare_exchange_strong(last, moment);
}

Error Pkcs11Token::Impl::missing(const Inside& inside, const ObjectName& name, bool was_there) {
  const auto seen = link_->look();
  if (!seen) return lost(inside, "looking for an object: " + seen.error().text());
  // SoftHSM forgets objects whose folder went away and came back, until it is initialised again;
  // after that the object is in the index or is no more.
  if (was_there) return lost(inside, "an object has vanished: " + name.hex());
  return internal("the token has no object " + name.hex());
}

// -------------------------------------------------------------------------------------- recovery

void Pkcs11Token::Impl::forget_keys() {
  materials_.erase_if([](const auto&, const auto&) { return true; });
  message_keys_.erase_if([](const auto&, const auto&) { return true; });
  std::lock_guard lock(health_mutex_);
  health_key_.reset();
}

Result<void> Pkcs11Token::Impl::restart() {
  forget_keys();
  TRY(link_->restart());
  TRY(index_objects());
  return make_health_key();
}

void Pkcs11Token::Impl::tick() {
  const auto inside = enter();
  if (!inside) return;
  link_->objects().collect();
  if (restart_due() == Restart::kDue && !restart_said_.exchange(true)) {
    log::warning("token: " + std::to_string(link_->objects().made()) +
                 " session objects were made, whose memory the module keeps: plan a restart");
  }
}

Result<void> Pkcs11Token::Impl::make_health_key() {
  pkcs11::Attributes attributes = mac_key_template(profile_);
  auto key = link_->objects().generate(pkcs11::Mechanism::plain(CKM_AES_KEY_GEN), attributes);
  if (!key) return to_error(key.error(), "making the health key");
  auto answer = link_->cmac(key->handle(), as_bytes(kCheckDomain));
  if (!answer) return to_error(answer.error(), "using the health key");
  std::lock_guard lock(health_mutex_);
  health_key_.emplace(std::move(*key));
  health_answer_ = std::move(*answer);
  return {};
}

pkcs11::Result<Proof> Pkcs11Token::Impl::health() {
  std::lock_guard lock(health_mutex_);
  if (!health_key_) return pkcs11::Error(CKR_KEY_HANDLE_INVALID, "health");
  PKCS11_TRY_ASSIGN(const Bytes answer, link_->cmac(health_key_->handle(), as_bytes(kCheckDomain)));
  return equal_in_constant_time(answer, health_answer_) ? Proof::kHolds : Proof::kDiffers;
}

Result<void> Pkcs11Token::Impl::check() {
  TRY_ASSIGN(const Inside inside, enter());
  const auto seen = link_->look();
  if (!seen) return lost(inside, "the token does not answer: " + seen.error().text());
  auto healthy = health();
  if (!healthy && healthy.error().handle_stale()) {
    // The login was lost and is back; the key went with it.
    TRY(make_health_key());
    healthy = health();
  }
  if (!healthy) return lost(inside, "the health key fails: " + healthy.error().text());
  if (*healthy == Proof::kDiffers) return lost(inside, "the health key computes something else");
  return {};
}

// --------------------------------------------------------------------------------------- objects

Result<void> Pkcs11Token::Impl::index_objects() {
  const std::uint64_t generation = link_->module().object_generation();
  auto found = [this] {
    const Writing lock = writing();
    pkcs11::Attributes all;
    all.yes(CKA_TOKEN);
    return link_->on_session(
        [&](pkcs11::Session& session) { return pkcs11::find_objects(session, all); });
  }();
  if (!found) return to_error(found.error(), "indexing the token's objects");
  std::unordered_map<ObjectName, ObjectIndex::Handles> index;
  for (const pkcs11::ObjectHandle object : *found) {
    const auto id = link_->on_session(
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

pkcs11::Result<ObjectIndex::Handles> Pkcs11Token::Impl::search(const ObjectName& name) {
  pkcs11::Attributes matching;
  matching.yes(CKA_TOKEN).bytes(CKA_ID, name.bytes());
  PKCS11_TRY_ASSIGN(ObjectIndex::Handles found, link_->on_session([&](pkcs11::Session& session) {
    return pkcs11::find_objects(session, matching);
  }));
  index_.set(name, found);
  return found;
}

Result<ObjectIndex::Handles> Pkcs11Token::Impl::handles(const Inside& inside,
                                                        const ObjectName& name, Look look) {
  if (indexed_generation_ != link_->module().object_generation()) {
    // A lost login has made every handle stale: one pass is cheaper than a search for each name.
    std::lock_guard lock(indexing_);
    if (indexed_generation_ != link_->module().object_generation()) {
      const auto indexed = index_objects();
      if (!indexed) return lost(inside, indexed.error().detail());
    }
  }
  const auto known = index_.find(name);
  if (look == Look::kIndex && known &&
      std::ranges::all_of(*known, [this](const auto& handle) { return link_->current(handle); })) {
    return *known;
  }
  const Writing lock = writing();
  // Asked again: a destruction that was waited for has taken the name out of the index.
  const bool was_there = index_.find(name).has_value();
  auto found = search(name);
  if (!found) return fail(inside, found.error(), "looking for an object");
  if (found->empty()) return missing(inside, name, was_there);
  return std::move(*found);
}

pkcs11::Result<ObjectEvidence> Pkcs11Token::Impl::read_evidence(pkcs11::ObjectHandle object) {
  static constexpr CK_ATTRIBUTE_TYPE kTypes[] = {
      CKA_LOCAL,       CKA_SENSITIVE,         CKA_ALWAYS_SENSITIVE,
      CKA_EXTRACTABLE, CKA_NEVER_EXTRACTABLE, CKA_KEY_GEN_MECHANISM,
      CKA_LABEL};
  PKCS11_TRY_ASSIGN(const auto values, link_->on_session([&](pkcs11::Session& session) {
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

Result<ObjectEvidence> Pkcs11Token::Impl::evidence(const ObjectName& name) {
  TRY_ASSIGN(const Inside inside, enter());
  for (const Look look : {Look::kIndex, Look::kToken}) {
    TRY_ASSIGN(const auto found, handles(inside, name, look));
    if (found.size() != 1) return internal("several objects have the name " + name.hex());
    const auto shown = read_evidence(found.front());
    if (shown) return *shown;
    if (look == Look::kToken || !shown.error().handle_stale()) {
      return fail(inside, shown.error(), "reading an object");
    }
  }
  return internal("unreachable");
}

Result<std::vector<ListedObject>> Pkcs11Token::Impl::list_objects() {
  TRY_ASSIGN(const Inside inside, enter());
  // A zombie may lack any attribute, so the filter cannot be one.
  auto found = [this] {
    const Writing lock = writing();
    return link_->on_session([](pkcs11::Session& session) {
      return pkcs11::find_objects(session, pkcs11::Attributes());
    });
  }();
  if (!found) return fail(inside, found.error(), "listing objects");
  static constexpr CK_ATTRIBUTE_TYPE kTypes[] = {CKA_TOKEN, CKA_CLASS, CKA_ID, CKA_LABEL};
  std::vector<ListedObject> listed;
  for (const pkcs11::ObjectHandle object : *found) {
    const auto read = [&] {
      return link_->on_session([&](pkcs11::Session& session) {
        return pkcs11::get_attributes(session, object, kTypes);
      });
    };
    auto values = read();
    // One that is destroyed while it is read may show as little as a zombie; asked again, its
    // handle is stale.
    if (!values || !(*values)[0].flag()) values = read();
    if (!values) {
      if (values.error().handle_stale()) continue;  // destroyed meanwhile
      if (values.error().token_gone()) return fail(inside, values.error(), "reading an object");
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

// ------------------------------------------------------------------------------------- materials

pkcs11::Result<GeneratedMaterial> Pkcs11Token::Impl::prove_new(const ObjectName& name,
                                                               pkcs11::ObjectHandle handle,
                                                               Construction construction) {
  Material material{name, construction, {}, {}};
  PKCS11_TRY_ASSIGN(const auto object, MaterialObject::open(*link_, material, handle));
  PKCS11_TRY_ASSIGN(Bytes check_value, object->make_check_value(*link_, random_));
  // A use as messages will use it.
  EcbSalt salt;
  random_.fill(salt);
  std::optional<SessionObject> derived;
  if (construction == Construction::kEcbDerived) {
    PKCS11_TRY_ASSIGN(auto key, object->derive_message_key(*link_, salt));
    derived.emplace(std::move(key));
  }
  const pkcs11::ObjectHandle key = derived ? derived->handle() : handle;
  std::array<std::uint8_t, kGcmIvSize> iv;
  random_.fill(iv);
  const ByteView aad = as_bytes(kCheckDomain);
  PKCS11_TRY_ASSIGN(const Bytes ciphertext, link_->encrypt(key, iv, aad, kDirectCheckPlaintext));
  PKCS11_TRY_ASSIGN(const Secret plaintext, link_->decrypt(key, iv, aad, ciphertext));
  if (!equal_in_constant_time(plaintext.view(), kDirectCheckPlaintext)) {
    return pkcs11::Error(CKR_FUNCTION_FAILED, "C_Decrypt", "the key does not decrypt its own");
  }
  return GeneratedMaterial{construction, std::move(check_value)};
}

Result<GeneratedMaterial> Pkcs11Token::Impl::generate_material(const ObjectName& name,
                                                               std::string_view label) {
  TRY_ASSIGN(const Inside inside, enter());
  const std::timespec mark = StorageFolders::mark();
  const pkcs11::Attributes attributes =
      material_template(profile_, Residence::kToken, name.bytes(), label);
  const auto made = [&]() -> pkcs11::Result<pkcs11::ObjectHandle> {
    const Writing lock = writing();
    return link_->once([&](pkcs11::Session& session) {
      return pkcs11::generate_key(session, pkcs11::Mechanism::plain(CKM_AES_KEY_GEN), attributes);
    });
  }();
  if (!made) return fail(inside, made.error(), "generating a key", Repeatable::kNo);
  TRY(folders_.sync_changes_since(mark));

  const auto shown = read_evidence(*made);
  if (!shown) return fail(inside, shown.error(), "reading a new key");
  if (const auto flaw = custody_flaw(*shown)) return internal("a new key: " + *flaw);
  auto proven = prove_new(name, *made, construction_of(profile_));
  if (!proven) return fail(inside, proven.error(), "proving a new key");
  index_.set(name, {*made});
  return std::move(*proven);
}

Result<std::optional<GeneratedMaterial>> Pkcs11Token::Impl::adopt_material(const ObjectName& name) {
  using Adopted = std::optional<GeneratedMaterial>;
  TRY_ASSIGN(const Inside inside, enter());
  auto found = [&] {
    const Writing lock = writing();
    return search(name);
  }();
  if (!found) return fail(inside, found.error(), "looking for an object");
  if (found->size() != 1) {
    // None at all is only an answer from a token that is there.
    const auto seen = link_->look();
    if (!seen) return lost(inside, "looking for an object: " + seen.error().text());
    return Adopted();
  }
  const pkcs11::ObjectHandle handle = found->front();
  const auto not_whole = [&](const pkcs11::Error& error) -> Result<Adopted> {
    if (error.token_gone() || error.login_lost() || lost_before_effect(error) ||
        error.sessions_exhausted()) {
      return fail(inside, error, "proving a key");
    }
    return Adopted();
  };
  const auto shown = read_evidence(handle);
  if (!shown) return not_whole(shown.error());
  // CKA_LOCAL decides nothing, since NSS denies it to all keys. A key that was brought from outside
  // has not always been sensitive, and a zombie does not pass a use.
  if (custody_flaw(*shown)) return Adopted();
  auto proven = prove_new(name, handle, construction_of(profile_));
  if (!proven) return not_whole(proven.error());
  // What a kill left was not synced.
  TRY(folders_.sync_changes_since({}));
  return Adopted(std::move(*proven));
}

Result<void> Pkcs11Token::Impl::destroy_material(const ObjectName& name) {
  TRY_ASSIGN(const Inside inside, enter());
  const std::timespec mark = StorageFolders::mark();
  {
    const Writing lock = writing();
    const auto found = search(name);
    if (!found) return fail(inside, found.error(), "looking for an object");
    if (found->empty()) {
      const auto seen = link_->look();
      if (!seen) return lost(inside, "looking for an object: " + seen.error().text());
    }
    forget(name);
    for (const pkcs11::ObjectHandle object : *found) {
      const auto destroyed = link_->once(
          [&](pkcs11::Session& session) { return pkcs11::destroy_object(session, object); });
      if (!destroyed && !destroyed.error().handle_stale()) {
        return fail(inside, destroyed.error(), "destroying an object", Repeatable::kNo);
      }
    }
    // A success that left the object there would end with its row gone and the key alive.
    const auto left = search(name);
    if (!left) return fail(inside, left.error(), "looking for an object");
    if (!left->empty()) return internal("a destroyed object is still there: " + name.hex());
  }
  forget(name);
  return folders_.sync_changes_since(mark);
}

void Pkcs11Token::Impl::forget(const ObjectName& name) {
  materials_.erase(name);
  message_keys_.erase_if(
      [&name](const CacheKey& key, const auto&) { return key.material == name; });
}

Result<MaterialObjectPtr> Pkcs11Token::Impl::open_material(const Inside& inside,
                                                           const Material& material) {
  for (const Look look : {Look::kIndex, Look::kToken}) {
    TRY_ASSIGN(const auto candidates, handles(inside, material.object_name, look));
    std::vector<MaterialObjectPtr> proven;
    std::optional<pkcs11::Error> trouble;
    for (const pkcs11::ObjectHandle candidate : candidates) {
      const auto object = MaterialObject::open(*link_, material, candidate);
      const auto proof = object ? (*object)->prove(*link_) : pkcs11::Result<Proof>(object.error());
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
    if (look == Look::kToken || !trouble->handle_stale()) {
      return fail(inside, *trouble, "opening the object " + material.object_name.hex());
    }
  }
  return internal("unreachable");
}

Result<void> Pkcs11Token::Impl::check_material(const Material& material) {
  TRY_ASSIGN(const Inside inside, enter());
  TRY(open_material(inside, material));
  return {};
}

Result<Pkcs11Token::Impl::WorkingPtr> Pkcs11Token::Impl::working(const Inside& inside,
                                                                 const Material& material) {
  const auto usable = [&](const WorkingPtr& found) {
    const Material& known = found->object->material();
    return found->object->current(*link_) && known.construction == material.construction &&
           equal_in_constant_time(known.check_value, material.check_value) &&
           known.subject == material.subject;
  };
  if (const auto found = materials_.find(material.object_name); found && usable(*found)) {
    return *found;
  }
  std::lock_guard lock(opening_[std::hash<ObjectName>()(material.object_name) % opening_.size()]);
  if (const auto found = materials_.find(material.object_name)) {
    if (usable(*found)) return *found;
    forget(material.object_name);
  }
  auto opened = std::make_shared<Working>();
  TRY_ASSIGN(opened->object, open_material(inside, material));
  return materials_.insert(material.object_name, std::move(opened));
}

// ---------------------------------------------------------------------------------- message keys

pkcs11::Result<SessionKeyPtr> Pkcs11Token::Impl::derive(const MaterialObjectPtr& object,
                                                        const EcbSalt& salt) {
  PKCS11_TRY_ASSIGN(Bytes header_tag, object->header_tag(*link_, salt));
  PKCS11_TRY_ASSIGN(SessionObject key, object->derive_message_key(*link_, salt));
  return SessionKeyPtr(std::make_shared<SessionKey>(this, object, salt, std::move(header_tag),
                                                    std::move(key), clock_.now()));
}

SessionKeyPtr Pkcs11Token::Impl::remember(SessionKeyPtr key) {
  EcbSalt salt;
  std::ranges::copy(key->salt(), salt.begin());
  const CacheKey place{key->material()->material().object_name, salt};
  return message_keys_.insert(place, std::move(key));
}

Result<SessionKeyPtr> Pkcs11Token::Impl::current_key(const Inside& inside,
                                                     const Material& material) {
  for (int attempt = 0;; ++attempt) {
    TRY_ASSIGN(const WorkingPtr work, working(inside, material));
    std::lock_guard lock(work->mutex);
    const TimePoint now = clock_.now();
    if (work->current != nullptr && link_->current(work->current->handle())) {
      if (material.construction == Construction::kDirect) return work->current;
      if (work->current->messages() < profile_.message_key_max_messages &&
          now < work->current->made_at() + profile_.message_key_max_age) {
        return work->current;
      }
    }
    if (material.construction == Construction::kDirect) {
      work->current = std::make_shared<SessionKey>(this, work->object, now);
      return work->current;
    }
    EcbSalt salt;
    random_.fill(salt);
    auto derived = derive(work->object, salt);
    if (derived) {
      work->current = remember(std::move(*derived));
      return work->current;
    }
    if (attempt != 0 || !derived.error().handle_stale()) {
      return fail(inside, derived.error(), "deriving a message key");
    }
    forget(material.object_name);
  }
}

Result<SessionKeyPtr> Pkcs11Token::Impl::derived_key(const Inside& inside, const Material& material,
                                                     const EcbSalt& salt) {
  for (int attempt = 0;; ++attempt) {
    TRY_ASSIGN(const WorkingPtr work, working(inside, material));
    auto derived = derive(work->object, salt);
    if (derived) return remember(std::move(*derived));
    if (attempt != 0 || !derived.error().handle_stale()) {
      return fail(inside, derived.error(), "deriving a message key");
    }
    forget(material.object_name);
  }
}

Result<MessageKeyPtr> Pkcs11Token::Impl::encryption_key(const Material& material) {
  TRY_ASSIGN(const Inside inside, enter());
  TRY_ASSIGN(const SessionKeyPtr key, current_key(inside, material));
  return MessageKeyPtr(key);
}

Result<MessageKeyPtr> Pkcs11Token::Impl::decryption_key(const Material& material, ByteView salt,
                                                        ByteView header_tag) {
  const bool derived = material.construction == Construction::kEcbDerived;
  if (salt.size() != (derived ? kEcbSaltSize : 0) ||
      header_tag.size() != (derived ? kCmacSize : 0)) {
    return invalid_ciphertext("salt or header tag has a wrong length");
  }
  TRY_ASSIGN(const Inside inside, enter());
  if (!derived) {
    TRY_ASSIGN(const SessionKeyPtr key, current_key(inside, material));
    return MessageKeyPtr(key);
  }
  CacheKey place{material.object_name, {}};
  std::ranges::copy(salt, place.salt.begin());
  // What an entry was made for is part of its material; another subject under the same name would
  // have another header tag, and is not found here.
  if (const auto cached = message_keys_.find(place);
      cached && link_->current((*cached)->handle()) &&
      (*cached)->material()->material().subject == material.subject &&
      equal_in_constant_time((*cached)->material()->material().check_value, material.check_value)) {
    if (!equal_in_constant_time((*cached)->header_tag(), header_tag)) {
      return invalid_ciphertext("the header tag is wrong");
    }
    return MessageKeyPtr(*cached);
  }
  for (int attempt = 0;; ++attempt) {
    TRY_ASSIGN(const WorkingPtr work, working(inside, material));
    const auto expected = work->object->header_tag(*link_, place.salt);
    if (expected) {
      if (!equal_in_constant_time(*expected, header_tag)) {
        return invalid_ciphertext("the header tag is wrong");
      }
      message_keys_.erase(place);  // of another generation, if there was one
      TRY_ASSIGN(const SessionKeyPtr key, derived_key(inside, material, place.salt));
      return MessageKeyPtr(key);
    }
    if (attempt != 0 || !expected.error().handle_stale()) {
      return fail(inside, expected.error(), "authenticating a header");
    }
    forget(material.object_name);
  }
}

/// A key of the same salt whose handle is alive; `key` is one that was held over a recovery or a
/// lost login, or whose object the token no longer has.
Result<SessionKeyPtr> Pkcs11Token::Impl::renewed(const Inside& inside, const SessionKey& key) {
  const Material& material = key.material()->material();
  if (link_->current(key.handle())) forget(material.object_name);
  if (key.construction() == Construction::kDirect) return current_key(inside, material);
  CacheKey place{material.object_name, {}};
  std::ranges::copy(key.salt(), place.salt.begin());
  if (const auto cached = message_keys_.find(place)) {
    if (link_->current((*cached)->handle())) return *cached;
    message_keys_.erase(place);
  }
  return derived_key(inside, material, place.salt);
}

Result<Bytes> Pkcs11Token::Impl::encrypt(const MessageKey& message_key, ByteView iv, ByteView aad,
                                         ByteView plaintext) {
  const SessionKey* key = &own(message_key);
  if (key->token() != this) return internal("a message key of another token");
  if (iv.size() != kGcmIvSize) return internal("an IV has 12 bytes");
  TRY_ASSIGN(const Inside inside, enter());
  // encryption_key() renews a key in time. Whoever held on to one has another such number of
  // messages, and together they stay within the 2^32 of SP 800-38D.
  if (key->construction() != Construction::kDirect &&
      key->count_message() >= 2 * profile_.message_key_max_messages) {
    return internal("a message key was used for more messages than it is for");
  }
  SessionKeyPtr fresh;
  if (!link_->current(key->handle())) {
    TRY_ASSIGN(fresh, renewed(inside, *key));
    key = fresh.get();
  }
  auto ciphertext = link_->encrypt(key->handle(), iv, aad, plaintext);
  if (!ciphertext && ciphertext.error().handle_stale()) {
    TRY_ASSIGN(fresh, renewed(inside, *key));
    key = fresh.get();
    ciphertext = link_->encrypt(key->handle(), iv, aad, plaintext);
  }
  if (!ciphertext) return fail(inside, ciphertext.error(), "encrypting");
  if (ciphertext->size() != plaintext.size() + kGcmTagSize) {
    return internal("the token's ciphertext has a wrong length");
  }
  // Tokens have been seen to encrypt what nobody could decrypt, so the first message of each key
  // is decrypted before it is answered.
  if (!key->proven()) {
    const auto opened = link_->decrypt(key->handle(), iv, aad, *ciphertext);
    if (!opened) return fail(inside, opened.error(), "decrypting what was encrypted");
    if (!equal_in_constant_time(opened->view(), plaintext)) {
      return internal("the token encrypts what it does not decrypt");
    }
    key->set_proven();
  }
  no_doubt();
  return std::move(*ciphertext);
}

Result<Secret> Pkcs11Token::Impl::decrypt(const MessageKey& message_key, ByteView iv, ByteView aad,
                                          ByteView ciphertext_and_tag) {
  const SessionKey* key = &own(message_key);
  if (key->token() != this) return internal("a message key of another token");
  if (iv.size() != kGcmIvSize || ciphertext_and_tag.size() < kGcmTagSize) {
    return invalid_ciphertext("IV or ciphertext has a wrong length");
  }
  TRY_ASSIGN(const Inside inside, enter());
  SessionKeyPtr fresh;
  if (!link_->current(key->handle())) {
    TRY_ASSIGN(fresh, renewed(inside, *key));
    key = fresh.get();
  }
  auto plaintext = link_->decrypt(key->handle(), iv, aad, ciphertext_and_tag);
  if (!plaintext && plaintext.error().handle_stale()) {
    TRY_ASSIGN(fresh, renewed(inside, *key));
    key = fresh.get();
    plaintext = link_->decrypt(key->handle(), iv, aad, ciphertext_and_tag);
  }
  if (plaintext) {
    no_doubt();
    if (plaintext->size() + kGcmTagSize != ciphertext_and_tag.size()) {
      return internal("the token's plaintext has a wrong length");
    }
    return std::move(*plaintext);
  }
  if (link_->says_bad_ciphertext(plaintext.error())) {
    return judge(inside, *key, plaintext.error());
  }
  return fail(inside, plaintext.error(), "decrypting");
}

/// A failed decryption is the caller's, unless the key no longer computes what it should.
Error Pkcs11Token::Impl::judge(const Inside& inside, const SessionKey& key,
                               const pkcs11::Error& error) {
  const MaterialObject& object = *key.material();
  if (object.may_judge(clock_.now())) {
    const auto proof = object.prove(*link_);
    if (!proof) {
      return lost(inside,
                  "after " + error.text() + " the proof of life failed: " + proof.error().text());
    }
    if (*proof == Proof::kDiffers) {
      return lost(inside, "after " + error.text() + " a key computes something else");
    }
  }
  return invalid_ciphertext(error.text());
}

Result<Secret> Pkcs11Token::Impl::random(std::size_t size) {
  TRY_ASSIGN(const Inside inside, enter());
  Secret bytes(size);
  if (size == 0) return bytes;
  const auto drawn = link_->random({bytes.data(), bytes.size()});
  if (!drawn) return fail(inside, drawn.error(), "drawing random bytes");
  return bytes;
}

// ------------------------------------------------------------------------------------ Pkcs11Token

Pkcs11Token::Pkcs11Token(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pkcs11Token::~Pkcs11Token() = default;

Result<std::unique_ptr<Pkcs11Token>> Pkcs11Token::open(const Profile& profile, Secret pin,
                                                       const Clock& clock, Random& random) {
  TRY_ASSIGN(std::unique_ptr<TokenLink> link, TokenLink::open(profile, std::move(pin)));
  TRY_ASSIGN(AdmissionReport admission, try_admission(*link, random));
  auto impl = std::make_unique<Impl>(profile, std::move(link), std::move(admission), clock, random);
  TRY(impl->start());
  return std::unique_ptr<Pkcs11Token>(new Pkcs11Token(std::move(impl)));
}

TokenIdentity Pkcs11Token::identity() const {
  const pkcs11::TokenInfo info = impl_->link().info();
  return {info.label, info.serial, info.manufacturer, info.model};
}
Result<GeneratedMaterial> Pkcs11Token::generate_material(const ObjectName& name,
                                                         std::string_view label) {
  return impl_->generate_material(name, label);
}
Result<std::optional<GeneratedMaterial>> Pkcs11Token::adopt_material(const ObjectName& name) {
  return impl_->adopt_material(name);
}
Result<void> Pkcs11Token::check_material(const Material& material) {
  return impl_->check_material(material);
}
Result<void> Pkcs11Token::destroy_material(const ObjectName& name) {
  return impl_->destroy_material(name);
}
Result<ObjectEvidence> Pkcs11Token::evidence(const ObjectName& name) {
  return impl_->evidence(name);
}
Result<std::vector<ListedObject>> Pkcs11Token::list_objects() { return impl_->list_objects(); }
Result<MessageKeyPtr> Pkcs11Token::encryption_key(const Material& material) {
  return impl_->encryption_key(material);
}
Result<MessageKeyPtr> Pkcs11Token::decryption_key(const Material& material, ByteView salt,
                                                  ByteView header_tag) {
  return impl_->decryption_key(material, salt, header_tag);
}
Result<Bytes> Pkcs11Token::encrypt(const MessageKey& key, ByteView iv, ByteView aad,
                                   ByteView plaintext) {
  return impl_->encrypt(key, iv, aad, plaintext);
}
Result<Secret> Pkcs11Token::decrypt(const MessageKey& key, ByteView iv, ByteView aad,
                                    ByteView ciphertext_and_tag) {
  return impl_->decrypt(key, iv, aad, ciphertext_and_tag);
}
Result<Secret> Pkcs11Token::random(std::size_t size) { return impl_->random(size); }
Result<void> Pkcs11Token::check() { return impl_->check(); }
const AdmissionReport& Pkcs11Token::admission() const { return impl_->admission(); }
Pkcs11Token::Usage Pkcs11Token::usage() const { return impl_->usage(); }
Pkcs11Token::Restart Pkcs11Token::restart() const { return impl_->restart_due(); }

}  // namespace keyhold::token
