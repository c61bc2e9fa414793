#include "test_token.h"
#include "tests/support/places.h"

#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace keyhold::pkcs11 {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRootVariable = "KEYHOLD_PKCS11_TEST_ROOT";
constexpr const char* kNssLabel = "NSS Certificate DB";

std::string make_unique_folder(std::string pattern) {
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp: " + pattern);
  return pattern;
}

// The root of this process's folders. Child processes (death tests) find it in the environment and
// leave the removing to the parent.
class Root {
 public:
  Root() {
    const char* inherited = ::getenv(kRootVariable);
    if (inherited != nullptr) {
      path_ = inherited;
      return;
    }
    path_ = make_unique_folder("/dev/shm/keyhold-pkcs11-XXXXXX");
    ::setenv(kRootVariable, path_.c_str(), 1);
    ours_ = true;
  }
  ~Root() {
    std::error_code ignored;
    if (ours_) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  bool ours_ = false;
};

const fs::path& root() {
  static const Root only;
  return only.path();
}

// Where the fault module looks, for the whole life of this process.
struct FaultPlaces {
  fs::path script;
  fs::path trace;
  FaultPlaces() {
    const fs::path folder = make_test_folder();
    script = folder / "script";
    trace = folder / "trace";
    ::setenv("KEYHOLD_FAULT_MODULE", keyhold::test::kSoftHsm, 1);
    ::setenv("KEYHOLD_FAULT_SCRIPT", script.c_str(), 1);
    ::setenv("KEYHOLD_FAULT_TRACE", trace.c_str(), 1);
  }
};

const FaultPlaces& fault_places() {
  static const FaultPlaces only;
  return only;
}

void write_file(const fs::path& path, std::string_view text) {
  const fs::path fresh = path.string() + ".new";
  std::ofstream(fresh) << text;
  fs::rename(fresh, path);
}

}  // namespace

fs::path make_test_folder() { return make_unique_folder((root() / "XXXXXX").string()); }

std::string name_of(TokenKind kind) {
  switch (kind) {
    case TokenKind::kSoftHsm:
      return "SoftHsm";
    case TokenKind::kSoftHsmBehindFaults:
      return "SoftHsmBehindFaults";
    case TokenKind::kNss:
      return "Nss";
  }
  return "";
}

void configure_softhsm(const fs::path& folder) {
  fs::create_directory(folder / "tokens");
  std::ofstream(folder / "conf") << "directories.tokendir = " << (folder / "tokens").string()
                                 << "\nobjectstore.backend = file\nlog.level = ERROR\n";
  ::setenv("SOFTHSM2_CONF", (folder / "conf").c_str(), 1);
}

std::unique_ptr<TestToken> TestToken::make(TokenKind kind) {
  std::unique_ptr<TestToken> token(new TestToken);
  token->kind_ = kind;
  token->folder_ = make_test_folder();
  ModuleOptions options;
  if (kind == TokenKind::kNss) {
    if (!fs::exists(kNssPath)) return nullptr;
    const std::string folder = token->folder_.string();
    std::ofstream(token->folder_ / "pin") << kUserPin << "\n";
    const std::string command =
        "certutil -N -d sql:" + folder + " -f " + folder + "/pin >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0) return nullptr;
    options.path = kNssPath;
    options.init_reserved =
        "configdir='sql:" + folder + "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=";
  } else {
    configure_softhsm(token->folder_);
    options.path = keyhold::test::kSoftHsm;
    if (kind == TokenKind::kSoftHsmBehindFaults) {
      fault_places();
      options.path = keyhold::test::fault_module();
    }
  }
  token->module_ = must(Module::load(options));
  if (kind == TokenKind::kNss) {
    token->slot_ = must(find_token(*token->module_, {.label = kNssLabel})).slot;
  } else {
    const SlotId empty = must(find_uninitialized_slot(*token->module_));
    token->slot_ = must(provision_token(*token->module_, empty, "keyhold test", SecretBytes(kSoPin),
                                        SecretBytes(kUserPin)))
                       .slot;
  }
  return token;
}

TestToken::~TestToken() {
  if (module_) (void)module_->finalize();
  module_.reset();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

PoolOptions TestToken::pool_options() const {
  PoolOptions options;
  options.max_sessions = 4;
  options.pin = []() -> Result<SecretBytes> { return SecretBytes(kUserPin); };
  return options;
}

Session TestToken::session() {
  Session session = must(Session::open(*module_, slot_, Access::kReadWrite));
  const auto login = session.login(CKU_USER, SecretBytes(kUserPin));
  if (!login && login.error().rv() != CKR_USER_ALREADY_LOGGED_IN) must(login);
  return session;
}

Faults::Faults() {
  fault_places();
  no_script();
  clear_trace();
}

Faults::~Faults() { no_script(); }

void Faults::script(const std::string& text) const { write_file(fault_places().script, text); }

void Faults::no_script() const { fs::remove(fault_places().script); }

void Faults::clear_trace() const {
  if (fs::exists(fault_places().trace)) fs::resize_file(fault_places().trace, 0);
}

std::string Faults::trace() const {
  std::ifstream file(fault_places().trace);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t Faults::calls(std::string_view function) const {
  std::istringstream lines(trace());
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.substr(0, line.find(' ')) == function) ++count;
  }
  return count;
}

Attributes aes_key_attributes() {
  Attributes attributes;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_AES)
      .number(CKA_VALUE_LEN, 32)
      .no(CKA_TOKEN)
      .yes(CKA_SENSITIVE)
      .no(CKA_EXTRACTABLE)
      .yes(CKA_ENCRYPT)
      .yes(CKA_DECRYPT)
      .yes(CKA_SIGN)
      .yes(CKA_VERIFY)
      .yes(CKA_WRAP)
      .yes(CKA_UNWRAP)
      .yes(CKA_DERIVE);
  return attributes;
}

Attributes aes_token_key_attributes(std::string_view id) {
  return aes_key_attributes().yes(CKA_TOKEN).yes(CKA_PRIVATE).bytes(CKA_ID, view(id));
}

Result<ObjectHandle> import_aes(Session& session, ByteView value) {
  Attributes attributes = aes_key_attributes();
  attributes.remove(CKA_VALUE_LEN).bytes(CKA_VALUE, value).no(CKA_SENSITIVE).yes(CKA_EXTRACTABLE);
  return create_object(session, attributes);
}

Bytes hex(std::string_view text) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

}  // namespace keyhold::pkcs11
