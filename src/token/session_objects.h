// Session objects: made on one session, counted, and destroyed when nobody uses them any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "pkcs11/module.h"
#include "pkcs11/object.h"
#include "pkcs11/owner_session.h"
#include "pkcs11/session_pool.h"

namespace keyhold::token {

class SessionObject;

/// The making of session objects. Objects that are let go are only noted, since that may happen on
/// any thread at any time, C_Finalize included; collect() destroys them from inside a call.
/// Outlives the token for as long as objects of it are held.
class SessionObjects : public std::enable_shared_from_this<SessionObjects> {
 public:
  SessionObjects(std::shared_ptr<pkcs11::Module> module, pkcs11::SessionPool& pool)
      : module_(std::move(module)), pool_(&pool) {}

  // From inside a call only:
  pkcs11::Result<SessionObject> derive(const pkcs11::Mechanism& mechanism,
                                       pkcs11::ObjectHandle base,
                                       const pkcs11::Attributes& attributes);
  pkcs11::Result<SessionObject> generate(const pkcs11::Mechanism& mechanism,
                                         const pkcs11::Attributes& attributes);
  struct Pair;
  pkcs11::Result<Pair> generate_pair(const pkcs11::Mechanism& mechanism,
                                     const pkcs11::Attributes& public_attributes,
                                     const pkcs11::Attributes& private_attributes);
  pkcs11::Result<SessionObject> unwrap(const pkcs11::Mechanism& mechanism,
                                       pkcs11::ObjectHandle unwrapping_key, ByteView wrapped,
                                       const pkcs11::Attributes& attributes);
  pkcs11::Result<SessionObject> create(const pkcs11::Attributes& attributes);
  pkcs11::Result<SessionObject> copy(pkcs11::ObjectHandle object,
                                     const pkcs11::Attributes& changes);
  /// Destroys what was let go.
  void collect();

  /// Closes the owner's session, and with it every session object, before the module is
  /// initialised again. Nobody may be inside a call.
  void end();
  /// The same for good: the pool is about to go.
  void close();

  /// How many session objects this process has made in all: on SoftHSM each costs memory for ever.
  std::uint64_t made() const { return made_.load(std::memory_order_relaxed); }
  /// Counts objects that were made and destroyed elsewhere.
  void count_made(std::uint64_t count) { made_.fetch_add(count, std::memory_order_relaxed); }
  /// How many of them live now, or wait for collect().
  std::uint64_t living() const { return living_.load(std::memory_order_relaxed); }

 private:
  friend class SessionObject;
  using Owner = std::shared_ptr<pkcs11::OwnerSession>;

  pkcs11::Result<Owner> owner();
  template <typename Make>
  pkcs11::Result<SessionObject> make(Make make);
  void let_go(Owner owner, pkcs11::ObjectHandle object);

  const std::shared_ptr<pkcs11::Module> module_;  // must outlive every session
  pkcs11::SessionPool* pool_;
  std::mutex mutex_;  // guards owner_, left_ and pool_
  Owner owner_;
  std::vector<std::pair<Owner, pkcs11::ObjectHandle>> left_;
  std::atomic<std::uint64_t> made_{0};
  std::atomic<std::uint64_t> living_{0};
};

/// A session object that is destroyed, sooner or later, after this dies.
class SessionObject {
 public:
  SessionObject(SessionObject&& other) noexcept = default;
  SessionObject& operator=(SessionObject&&) = delete;
  ~SessionObject() {
    if (objects_ != nullptr) objects_->let_go(std::move(owner_), handle_);
  }

  pkcs11::ObjectHandle handle() const { return handle_; }

 private:
  friend class SessionObjects;
  SessionObject(std::shared_ptr<SessionObjects> objects, SessionObjects::Owner owner,
                pkcs11::ObjectHandle handle)
      : objects_(std::move(objects)), owner_(std::move(owner)), handle_(handle) {}

  // In this order: a session must not outlive the module that SessionObjects holds.
  std::shared_ptr<SessionObjects> objects_;
  SessionObjects::Owner owner_;
  pkcs11::ObjectHandle handle_;
};

struct SessionObjects::Pair {
  SessionObject public_key;
  SessionObject private_key;
};

}  // namespace keyhold::token
