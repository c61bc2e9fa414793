// libkeyhold-fault.so: a Cryptoki module in front of another one. pkcs11/README.md says how to use
// it.
//
// Its state is never destroyed, and the object is linked so that it is never unloaded: modules are
// called while processes end.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "pkcs11/cryptoki.h"
#include "pkcs11/error.h"
#include "pkcs11/fault/imitation.h"
#include "pkcs11/fault/script.h"

namespace keyhold::pkcs11::fault {
namespace {

enum FunctionId : std::size_t {
#define KEYHOLD_FAULT_FUNCTION(name) k##name,
#include "pkcs11/fault/functions.def"
#undef KEYHOLD_FAULT_FUNCTION
};

constexpr auto kNames = std::to_array<std::string_view>({
#define KEYHOLD_FAULT_FUNCTION(name) #name,
#include "pkcs11/fault/functions.def"
#undef KEYHOLD_FAULT_FUNCTION
});

// What a shell reports for a process that was killed with SIGKILL.
constexpr int kExitCode = 137;

void complain(const std::string& text) {
  std::fprintf(stderr, "keyhold-fault: %s\n", text.c_str());
}

// Which edition of a file this is. A file that is replaced by renaming has another inode; one that
// is rewritten in place within the clock's tick and to the same size looks the same.
struct Edition {
  bool exists = false;
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  time_t seconds = 0;
  long nanoseconds = 0;

  friend bool operator==(const Edition&, const Edition&) = default;

  static Edition of(const char* path) {
    struct stat status {};
    if (::stat(path, &status) != 0) return {};
    return {true,           status.st_dev,         status.st_ino,
            status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  }
};

// The script named by KEYHOLD_FAULT_SCRIPT, as it is on disk at each call.
class LiveScript {
 public:
  explicit LiveScript(const char* path) : path_(path != nullptr ? path : "") {}

  Decision next(std::size_t function) {
    if (path_.empty()) return {};
    const std::lock_guard guard(mutex_);
    const Edition now = Edition::of(path_.c_str());
    if (now != edition_) {
      edition_ = now;
      load();
    }
    if (unreadable_) return Decision{0, Action::kInstead, CKR_FUNCTION_REJECTED, {}};
    return script_.next(function);
  }

 private:
  // A script that cannot be read must not look like one without faults: every call is refused.
  void load() {
    script_ = Script();
    unreadable_ = false;
    if (!edition_.exists) return;
    std::string text;
    std::string problem;
    if (!read(text)) {
      problem = "cannot be read";
    } else {
      script_ = Script::parse(text, kNames, &problem);
    }
    if (problem.empty()) return;
    complain(path_ + ": " + problem);
    unreadable_ = true;
  }

  bool read(std::string& text) const {
    const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    std::array<char, 4096> part{};
    ssize_t count = 0;
    while ((count = ::read(file, part.data(), part.size())) != 0) {
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) break;
      text.append(part.data(), static_cast<std::size_t>(count));
    }
    ::close(file);
    return count == 0;
  }

  const std::string path_;
  std::mutex mutex_;
  Edition edition_;
  Script script_;
  bool unreadable_ = false;
};

// The file named by KEYHOLD_FAULT_TRACE: a line for each call, written at once, so that lines of
// several threads and processes do not mix.
class Trace {
 public:
  explicit Trace(const char* path) {
    if (path == nullptr || *path == '\0') return;
    file_ = ::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file_ < 0) complain(std::string(path) + ": cannot be written");
  }

  void write(std::string_view function, CK_RV rv, std::string_view note) const {
    if (file_ < 0) return;
    std::array<char, 32> hex{};
    std::snprintf(hex.data(), hex.size(), " 0x%08lx ", rv);
    std::string line(function);
    line += hex.data();
    line += rv_name(rv);
    line += note;
    line += '\n';
    ssize_t written = 0;
    do {
      written = ::write(file_, line.data(), line.size());
    } while (written < 0 && errno == EINTR);
  }

 private:
  int file_ = -1;
};

// The module in front of which this one stands.
CK_FUNCTION_LIST* load_module() {
  const char* path = std::getenv("KEYHOLD_FAULT_MODULE");
  if (path == nullptr || *path == '\0') {
    complain("KEYHOLD_FAULT_MODULE does not name a module");
    return nullptr;
  }
  void* library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    complain(::dlerror());
    return nullptr;
  }
  const auto entry =
      reinterpret_cast<CK_RV (*)(CK_FUNCTION_LIST**)>(::dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  if (entry == nullptr || entry(&functions) != CKR_OK || functions == nullptr) {
    complain(std::string(path) + ": not a PKCS#11 module");
    return nullptr;
  }
  return functions;
}

struct State {
  CK_FUNCTION_LIST* module = load_module();
  LiveScript script{std::getenv("KEYHOLD_FAULT_SCRIPT")};
  Trace trace{std::getenv("KEYHOLD_FAULT_TRACE")};
  Imitator imitator;
};

State& state() {
  static State* const only = new State;
  return *only;
}

void sleep_ms(std::uint32_t delay) {
  if (delay == 0) return;
  timespec left{static_cast<time_t>(delay / 1000), static_cast<long>(delay % 1000) * 1000000L};
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

template <typename Call>
CK_RV intercept(FunctionId id, const Call& call) {
  State& all = state();
  const std::string_view name = kNames[id];
  const Decision decision = all.script.next(id);
  sleep_ms(decision.delay_ms);
  if (decision.action == Action::kInstead) {
    all.trace.write(name, decision.rv, " instead");
    return decision.rv;
  }
  if (decision.action == Action::kExitBefore) {
    all.trace.write(name, CKR_OK, " exit-before");
    ::_exit(kExitCode);
  }
  const CK_RV rv = call(std::string_view(decision.imitation));
  if (decision.action == Action::kExitAfter) {
    all.trace.write(name, rv, " exit-after");
    ::_exit(kExitCode);
  }
  if (decision.action == Action::kAfter) {
    all.trace.write(name, decision.rv, " after");
    return decision.rv;
  }
  all.trace.write(name, rv, "");
  return rv;
}

// The call, as it is or as another token would answer it.
template <FunctionId kId, typename Entry, typename... Args>
CK_RV imitate(std::string_view what, Entry entry, Args&... args) {
  Imitator& imitator = state().imitator;
  const std::tuple<Args&...> given(args...);
  if constexpr (kId == kC_Initialize) {
    if (const auto refusal = imitator.initialize(what, std::get<0>(given))) return *refusal;
  } else if constexpr (kId == kC_OpenSession) {
    if (const auto refusal = imitator.open_session(what)) return *refusal;
    const CK_RV rv = entry(args...);
    if (rv == CKR_OK) imitator.opened(*std::get<4>(given));
    return rv;
  } else if constexpr (kId == kC_CloseSession) {
    imitator.closed(std::get<0>(given));
  } else if constexpr (kId == kC_CloseAllSessions || kId == kC_Finalize) {
    imitator.closed_all();
  } else if constexpr (kId == kC_Login) {
    const auto refusal = imitator.login(what, std::get<2>(given), std::get<3>(given));
    if (refusal) return *refusal;
  } else if constexpr (kId == kC_GenerateKey) {
    std::vector<CK_ATTRIBUTE> kept;
    const auto refusal = Imitator::generate_key(what, std::get<2>(given), std::get<3>(given), kept);
    return refusal ? *refusal : entry(args...);
  } else if constexpr (kId == kC_WrapKey) {
    CK_MECHANISM kept{};
    const auto refusal = Imitator::key_wrap(what, std::get<1>(given), kept);
    return refusal ? *refusal : entry(args...);
  } else if constexpr (kId == kC_UnwrapKey) {
    CK_MECHANISM mechanism{};
    std::vector<CK_ATTRIBUTE> kept;
    auto refusal = Imitator::key_wrap(what, std::get<1>(given), mechanism);
    if (!refusal) {
      refusal = Imitator::unwrap_key(what, std::get<5>(given), std::get<6>(given), kept);
    }
    return refusal ? *refusal : Imitator::refused(what, entry(args...));
  } else if constexpr (kId == kC_Decrypt) {
    return Imitator::refused(what, entry(args...));
  } else if constexpr (kId == kC_EncryptInit) {
    Imitator::OwnMechanism kept;
    const auto refusal = imitator.encrypt_init(what, std::get<0>(given), std::get<1>(given), kept);
    return refusal ? *refusal : entry(args...);
  } else if constexpr (kId == kC_Encrypt) {
    const CK_ULONG room = *std::get<4>(given);
    const CK_RV rv = entry(args...);
    return imitator.encrypted(std::get<0>(given), std::get<3>(given), std::get<4>(given), room, rv);
  }
  return entry(args...);
}

// The function of our list that stands for `kMember` of the module's.
template <FunctionId kId, auto kMember>
struct Forward;

template <FunctionId kId, typename... Args, CK_RV (*CK_FUNCTION_LIST::*kMember)(Args...)>
struct Forward<kId, kMember> {
  static CK_RV call(Args... args) {
    return intercept(kId, [&](std::string_view imitation) -> CK_RV {
      const auto entry = state().module->*kMember;
      if (entry == nullptr) return CKR_FUNCTION_NOT_SUPPORTED;
      return imitate<kId>(imitation, entry, args...);
    });
  }
};

CK_FUNCTION_LIST make_list();

CK_FUNCTION_LIST& list() {
  static CK_FUNCTION_LIST only = make_list();
  return only;
}

CK_RV get_function_list(CK_FUNCTION_LIST** out) {
  if (out == nullptr) return CKR_ARGUMENTS_BAD;
  if (state().module == nullptr) return CKR_GENERAL_ERROR;
  *out = &list();
  return CKR_OK;
}

CK_FUNCTION_LIST make_list() {
  CK_FUNCTION_LIST made{};
  made.version = state().module->version;
  made.C_GetFunctionList = &get_function_list;
#define KEYHOLD_FAULT_FUNCTION(name) made.name = &Forward<k##name, &CK_FUNCTION_LIST::name>::call;
#include "pkcs11/fault/functions.def"
#undef KEYHOLD_FAULT_FUNCTION
  return made;
}

}  // namespace
}  // namespace keyhold::pkcs11::fault

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  return keyhold::pkcs11::fault::get_function_list(list);
}
