// A Cryptoki module in this process: loaded, initialised, re-initialised, finalised.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "pkcs11/call_counts.h"
#include "pkcs11/inside_module.h"
#include "pkcs11/result.h"

namespace keyhold::pkcs11 {

/// How a module is told that several threads will call it.
enum class Locking : std::uint8_t {
  kAsItLikes,        ///< CKF_OS_LOCKING_OK, and functions to make and use mutexes by
  kOperatingSystem,  ///< CKF_OS_LOCKING_OK alone, for modules that refuse such functions
};

struct ModuleOptions {
  std::string path;  ///< of the shared object; a name without '/' is looked up by p11-kit
  /// Text for C_Initialize's pReserved (NSS softokn cannot start without). The module is then
  /// initialised directly with CKF_OS_LOCKING_OK, and shared with no other user of p11-kit.
  std::optional<std::string> init_reserved = {};
  /// With kOperatingSystem the module is initialised directly as well.
  Locking locking = Locking::kAsItLikes;
};

struct ModuleInfo {
  CK_VERSION cryptoki_version;
  CK_VERSION library_version;
  std::string manufacturer;
  std::string description;
};

/// Models one C_Initialize. Handles of sessions and objects live as long as that does, so a Module
/// counts *generations*: whatever bears an older one is refused, since a module may hand out the
/// same number again for something else.
///
/// Ends with finalize(), called from main or from a scope inside it: modules have static objects of
/// their own, and C_Finalize after those are destroyed crashes. A Module destroyed without it
/// leaves the module loaded and initialised.
class Module {
 public:
  /// Loads and initialises. CKR_LIBRARY_LOAD_FAILED if it cannot be loaded, with the loader's
  /// words; or what C_Initialize answered. A module that another part of the process has
  /// initialised is used as it is, and not finalised.
  static Result<std::unique_ptr<Module>> load(const ModuleOptions& options);

  /// Loads only; start() initialises. For modules whose C_Initialize fails while their token is
  /// away.
  static Result<std::unique_ptr<Module>> open(const ModuleOptions& options);

  /// C_Initialize the first time, reinitialize() from then on.
  Result<void> start();

  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  ~Module();

  /// C_Finalize; all sessions and handles become stale. No other thread may be inside a call (that
  /// crashes most modules): end or suspend every SessionPool first. Harmless when repeated.
  Result<void> finalize();

  /// C_Finalize, then C_Initialize: the module really starts anew, for every user of it in the
  /// process. The same rule for other threads. A C_Finalize that fails is tried a second time; if
  /// the module is up even then, that is the error. After a failure every call answers
  /// CKR_CRYPTOKI_NOT_INITIALIZED until this succeeds.
  Result<void> reinitialize();

  Result<ModuleInfo> info() const;

  const CK_FUNCTION_LIST& functions() const { return *functions_; }

  /// The generation of sessions: 1 at first, raised by finalize() and reinitialize().
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  /// The generation of object handles: raised as above and by raise_object_generation().
  std::uint64_t object_generation() const {
    return object_generation_.load(std::memory_order_acquire);
  }

  /// Makes all object handles stale, as losing the login does; whoever logs in again calls it.
  void raise_object_generation() { object_generation_.fetch_add(1, std::memory_order_acq_rel); }

  bool initialized() const { return initialized_.load(std::memory_order_acquire); }

  /// Calls a function that takes no session.
  template <typename... Args>
  Result<void> call(const char* name, CK_RV (*CK_FUNCTION_LIST::*function)(Args...),
                    std::type_identity_t<Args>... args) const {
    if (!initialized()) return Error(CKR_CRYPTOKI_NOT_INITIALIZED, name, "not called");
    const auto entry = functions_->*function;
    if (entry == nullptr) return Error(CKR_FUNCTION_NOT_SUPPORTED, name);
    [[maybe_unused]] const InsideModule inside;
    const CK_RV rv = entry(args...);
    count_call(name, rv);
    if (rv == CKR_OK) return {};
    return Error(rv, name);
  }

 private:
  enum class Ours : std::uint8_t { kYes, kNo };  ///< whether C_Initialize was ours

  Module(CK_FUNCTION_LIST* functions, CK_FUNCTION_LIST* raw, const ModuleOptions& options)
      : functions_(functions),
        raw_(raw),
        init_reserved_(options.init_reserved),
        locking_(options.locking) {}

  /// Whether p11-kit initialises and finalises the module, for all of its users.
  bool is_managed() const { return functions_ != raw_; }

  CK_RV initialize();
  bool is_up() const;
  void raise_generation();

  CK_FUNCTION_LIST* functions_;  ///< p11-kit's, or raw_
  CK_FUNCTION_LIST* raw_;        ///< the module's own
  std::optional<std::string> init_reserved_;
  Locking locking_;
  Ours ours_ = Ours::kYes;
  bool was_initialized_ = false;
  bool leave_loaded_ = false;  ///< it may be running, and code that runs is not unloaded
  std::atomic<bool> initialized_{false};
  std::atomic<std::uint64_t> generation_{1};
  std::atomic<std::uint64_t> object_generation_{1};
};

}  // namespace keyhold::pkcs11
