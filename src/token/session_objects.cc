#include "token/session_objects.h"

#include "token/token_error.h"

namespace keyhold::token {

pkcs11::Result<SessionObjects::Owner> SessionObjects::owner() {
  std::lock_guard lock(mutex_);
  if (owner_ != nullptr && owner_->usable()) return owner_;
  // What the old one owns lives on until its last object is let go.
  if (pool_ == nullptr) return pkcs11::Error(CKR_FUNCTION_CANCELED, "SessionObjects");
  PKCS11_TRY_ASSIGN(owner_, pool_->open_owner());
  return owner_;
}

template <typename Make>
pkcs11::Result<SessionObject> SessionObjects::make(Make make) {
  collect();
  for (int attempt = 0;; ++attempt) {
    PKCS11_TRY_ASSIGN(const Owner made_on, owner());
    auto handle = [&] {
      const auto session = made_on->lock();
      return make(*session);
    }();
    if (handle) {
      made_.fetch_add(1, std::memory_order_relaxed);
      living_.fetch_add(1, std::memory_order_relaxed);
      return SessionObject(shared_from_this(), made_on, *handle);
    }
    if (attempt != 0 || !lost_before_effect(handle.error())) return handle.error();
    std::lock_guard lock(mutex_);
    if (owner_ == made_on) {
      left_.emplace_back(std::move(owner_), pkcs11::ObjectHandle{});
      owner_ = nullptr;
    }
  }
}

pkcs11::Result<SessionObject> SessionObjects::derive(const pkcs11::Mechanism& mechanism,
                                                     pkcs11::ObjectHandle base,
                                                     const pkcs11::Attributes& attributes) {
  return make([&](pkcs11::Session& session) {
    return pkcs11::derive_key(session, mechanism, base, attributes);
  });
}

pkcs11::Result<SessionObject> SessionObjects::generate(const pkcs11::Mechanism& mechanism,
                                                       const pkcs11::Attributes& attributes) {
  return make([&](pkcs11::Session& session) {
    return pkcs11::generate_key(session, mechanism, attributes);
  });
}

pkcs11::Result<SessionObjects::Pair> SessionObjects::generate_pair(
    const pkcs11::Mechanism& mechanism, const pkcs11::Attributes& public_attributes,
    const pkcs11::Attributes& private_attributes) {
  pkcs11::ObjectHandle public_handle;
  PKCS11_TRY_ASSIGN(
      SessionObject private_key,
      make([&](pkcs11::Session& session) -> pkcs11::Result<pkcs11::ObjectHandle> {
        PKCS11_TRY_ASSIGN(
            const pkcs11::KeyPair made,
            pkcs11::generate_key_pair(session, mechanism, public_attributes, private_attributes));
        public_handle = made.public_key;
        return made.private_key;
      }));
  made_.fetch_add(1, std::memory_order_relaxed);
  living_.fetch_add(1, std::memory_order_relaxed);
  SessionObject public_key(shared_from_this(), private_key.owner_, public_handle);
  return Pair{std::move(public_key), std::move(private_key)};
}

pkcs11::Result<SessionObject> SessionObjects::unwrap(const pkcs11::Mechanism& mechanism,
                                                     pkcs11::ObjectHandle unwrapping_key,
                                                     ByteView wrapped,
                                                     const pkcs11::Attributes& attributes) {
  return make([&](pkcs11::Session& session) {
    return pkcs11::unwrap_key(session, mechanism, unwrapping_key, wrapped, attributes);
  });
}

pkcs11::Result<SessionObject> SessionObjects::create(const pkcs11::Attributes& attributes) {
  return make([&](pkcs11::Session& session) { return pkcs11::create_object(session, attributes); });
}

pkcs11::Result<SessionObject> SessionObjects::copy(pkcs11::ObjectHandle object,
                                                   const pkcs11::Attributes& changes) {
  return make(
      [&](pkcs11::Session& session) { return pkcs11::copy_object(session, object, changes); });
}

void SessionObjects::collect() {
  std::vector<std::pair<Owner, pkcs11::ObjectHandle>> left;
  {
    std::lock_guard lock(mutex_);
    left.swap(left_);
  }
  for (const auto& [owner, object] : left) {
    if (object.value == CK_INVALID_HANDLE) continue;
    const auto session = owner->lock();
    // An object that does not go now goes with its session.
    static_cast<void>(pkcs11::destroy_object(*session, object));
  }
}

void SessionObjects::let_go(Owner owner, pkcs11::ObjectHandle object) {
  living_.fetch_sub(1, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  if (pool_ != nullptr) left_.emplace_back(std::move(owner), object);
}

void SessionObjects::end() {
  std::lock_guard lock(mutex_);
  left_.clear();
  owner_.reset();
}

void SessionObjects::close() {
  std::lock_guard lock(mutex_);
  left_.clear();
  owner_.reset();
  pool_ = nullptr;
}

}  // namespace keyhold::token
