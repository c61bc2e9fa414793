// A session that owns session objects.
#pragma once

#include <memory>
#include <mutex>

#include "pkcs11/session.h"

namespace keyhold::pkcs11 {

/// Session objects are usable from every session of the process and die with the session that made
/// them. An OwnerSession is that session: it stays open for as long as they are wanted, and threads
/// make and destroy objects on it one at a time. Once it is not usable(), make new objects on a new
/// one; those it has live on until it is destroyed (or the module is finalised).
class OwnerSession {
 public:
  explicit OwnerSession(Session session) : session_(std::move(session)) {}

  OwnerSession(const OwnerSession&) = delete;
  OwnerSession& operator=(const OwnerSession&) = delete;

  /// The session, for one thread, until the lock is let go.
  class Locked {
   public:
    Session& operator*() const { return *session_; }
    Session* operator->() const { return session_; }

   private:
    friend class OwnerSession;
    Locked(std::mutex& mutex, Session& session) : lock_(mutex), session_(&session) {}
    std::unique_lock<std::mutex> lock_;
    Session* session_;
  };
  Locked lock() { return Locked(mutex_, session_); }

  /// Whether new objects may be made on it.
  bool usable() {
    const std::lock_guard guard(mutex_);
    return !session_.broken() && !session_.stale();
  }

 private:
  std::mutex mutex_;
  Session session_;
};

}  // namespace keyhold::pkcs11
