#include "pkcs11/module.h"

#include <p11-kit/p11-kit.h>

#include <mutex>
#include <stdexcept>
#include <string_view>

#include "pkcs11/padded.h"

namespace keyhold::pkcs11 {
namespace {

// What a module locks by that asks for it. It destroys what it makes.
CK_RV create_mutex(void** mutex) {
  *mutex = new std::mutex;
  return CKR_OK;
}
CK_RV destroy_mutex(void* mutex) {
  delete static_cast<std::mutex*>(mutex);
  return CKR_OK;
}
CK_RV lock_mutex(void* mutex) {
  static_cast<std::mutex*>(mutex)->lock();
  return CKR_OK;
}
CK_RV unlock_mutex(void* mutex) {
  static_cast<std::mutex*>(mutex)->unlock();
  return CKR_OK;
}

}  // namespace

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::logic_error("value asked of a failed result: " + error.text());
}

Result<std::unique_ptr<Module>> Module::load(const ModuleOptions& options) {
  PKCS11_TRY_ASSIGN(std::unique_ptr<Module> module, open(options));
  const auto started = module->start();
  // With nothing initialised, the destructor gives the module back.
  if (!started) return Error(started.error().rv(), started.error().function(), options.path);
  return module;
}

Result<std::unique_ptr<Module>> Module::open(const ModuleOptions& options) {
  // p11-kit's own list counts the users of a module; the raw one tells what the module is at.
  CK_FUNCTION_LIST* raw = p11_kit_module_load(options.path.c_str(), P11_KIT_MODULE_UNMANAGED);
  CK_FUNCTION_LIST* functions = raw;
  if (raw != nullptr && !options.init_reserved && options.locking == Locking::kAsItLikes) {
    functions = p11_kit_module_load(options.path.c_str(), 0);
    if (functions == nullptr) p11_kit_module_release(raw);
  }
  if (functions == nullptr) {
    const char* why = p11_kit_message();
    return Error(CKR_LIBRARY_LOAD_FAILED, "Module::load",
                 options.path + ": " + (why != nullptr ? why : "not a PKCS#11 module"));
  }
  return std::unique_ptr<Module>(new Module(functions, raw, options));
}

Result<void> Module::start() {
  if (was_initialized_) return reinitialize();
  const CK_RV rv = initialize();
  if (rv != CKR_OK) return Error(rv, "C_Initialize");
  was_initialized_ = true;
  return {};
}

Module::~Module() {
  if (initialized() || ours_ == Ours::kNo || leave_loaded_) return;
  if (functions_ != raw_) p11_kit_module_release(functions_);
  p11_kit_module_release(raw_);
}

bool Module::is_up() const {
  CK_INFO info{};
  return raw_->C_GetInfo(&info) != CKR_CRYPTOKI_NOT_INITIALIZED;
}

CK_RV Module::initialize() {
  CK_RV rv = CKR_OK;
  if (is_managed()) {
    rv = p11_kit_module_initialize(functions_);
  } else {
    CK_C_INITIALIZE_ARGS args{};
    args.flags = CKF_OS_LOCKING_OK;
    if (init_reserved_) args.pReserved = init_reserved_->data();
    if (locking_ == Locking::kAsItLikes) {
      args.CreateMutex = create_mutex;
      args.DestroyMutex = destroy_mutex;
      args.LockMutex = lock_mutex;
      args.UnlockMutex = unlock_mutex;
    }
    rv = functions_->C_Initialize(&args);
  }
  if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    ours_ = Ours::kNo;
    rv = CKR_OK;
  }
  initialized_.store(rv == CKR_OK, std::memory_order_release);
  return rv;
}

void Module::raise_generation() {
  initialized_.store(false, std::memory_order_release);
  object_generation_.fetch_add(1, std::memory_order_acq_rel);
  generation_.fetch_add(1, std::memory_order_acq_rel);
}

Result<void> Module::finalize() {
  if (!initialized()) return {};
  raise_generation();
  if (ours_ == Ours::kNo) return {};
  const CK_RV rv =
      is_managed() ? p11_kit_module_finalize(functions_) : functions_->C_Finalize(nullptr);
  leave_loaded_ = is_up();
  if (rv != CKR_OK) return Error(rv, "C_Finalize");
  return {};
}

Result<void> Module::reinitialize() {
  if (ours_ == Ours::kNo) {
    return Error(CKR_CRYPTOKI_ALREADY_INITIALIZED, "Module::reinitialize",
                 "the module is another's to finalise");
  }
  (void)finalize();
  if (is_up()) {
    // p11-kit has kept C_Finalize's failure to itself, and would take the module's
    // CKR_CRYPTOKI_ALREADY_INITIALIZED for a success: nothing would have started anew, for ever.
    const CK_RV rv = raw_->C_Finalize(nullptr);
    if (rv != CKR_OK && rv != CKR_CRYPTOKI_NOT_INITIALIZED) return Error(rv, "C_Finalize");
  }
  leave_loaded_ = false;
  const CK_RV rv = initialize();
  if (rv != CKR_OK) return Error(rv, "C_Initialize");
  if (ours_ == Ours::kNo) {
    // It says that it is down, and that it is up.
    ours_ = Ours::kYes;
    leave_loaded_ = true;
    initialized_.store(false, std::memory_order_release);
    return Error(CKR_CRYPTOKI_ALREADY_INITIALIZED, "C_Initialize");
  }
  return {};
}

Result<ModuleInfo> Module::info() const {
  CK_INFO info{};
  PKCS11_TRY(call("C_GetInfo", &CK_FUNCTION_LIST::C_GetInfo, &info));
  return ModuleInfo{info.cryptokiVersion, info.libraryVersion, unpadded(info.manufacturerID),
                    unpadded(info.libraryDescription)};
}

}  // namespace keyhold::pkcs11
