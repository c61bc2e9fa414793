#include "app/pin_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace keyhold::app {
namespace {

constexpr std::size_t kMaxPin = 1024;  // CK_ULONG bounds it nowhere; no token takes so long a one

Error unreadable(const std::string& path, std::string_view why) {
  return Error(ErrorCode::kValidation,
               "the PIN cannot be read from " + path + ": " + std::string(why));
}

Secret first_line(Secret text) {
  const auto end = text.text().find_first_of("\r\n");
  if (end != std::string_view::npos) text.resize(end);
  return text;
}

Result<Secret> read_pin_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return unreadable(path, std::generic_category().message(errno));
  struct stat state {};
  Secret text(kMaxPin + 1);
  const bool known = ::fstat(file, &state) == 0;
  const auto got = ::read(file, text.data(), text.size());
  ::close(file);
  if (!known || got < 0) return unreadable(path, std::generic_category().message(errno));
  if ((state.st_mode & S_IRWXO) != 0) {
    return unreadable(path, "every user of the machine may use the file; chmod o= it");
  }
  text.resize(static_cast<std::size_t>(got));
  Secret pin = first_line(std::move(text));
  if (pin.empty()) return unreadable(path, "it is empty");
  if (pin.size() > kMaxPin) return unreadable(path, "it is longer than any PIN");
  return pin;
}

/// The variable's value, where it stands.
Result<char*> find_pin_variable(const std::string& name) {
  char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') {
    return unreadable("the environment", "there is no " + name);
  }
  return value;
}

Result<Secret> read_pin_variable(const std::string& name) {
  TRY_ASSIGN(char* value, find_pin_variable(name));
  Secret pin{std::string_view(value)};
  wipe(value, std::strlen(value));
  ::unsetenv(name.c_str());
  return pin;
}

}  // namespace

Result<PinSource> parse_pin_source(std::string_view text) {
  constexpr std::pair<std::string_view, PinSource::Kind> kSchemes[] = {
      {"file:", PinSource::Kind::kFile},
      {"credential:", PinSource::Kind::kCredential},
      {"environment:", PinSource::Kind::kEnvironment}};
  PinSource source;
  if (text.starts_with('/')) source = {PinSource::Kind::kFile, std::string(text)};
  for (const auto& [scheme, kind] : kSchemes) {
    if (text.starts_with(scheme)) source = {kind, std::string(text.substr(scheme.size()))};
  }
  const bool is_path = source.kind == PinSource::Kind::kFile;
  const bool fits = is_path ? source.name.starts_with('/')
                            : !source.name.empty() && source.name.find('/') == std::string::npos;
  if (source.kind == PinSource::Kind::kNone || !fits) {
    // The text may be a PIN that somebody put here: it is not repeated.
    return Error(ErrorCode::kValidation,
                 "takes file:/PATH, credential:NAME or environment:NAME, and never the PIN itself");
  }
  return source;
}

Result<Secret> read_pin(const PinSource& source) {
  switch (source.kind) {
    case PinSource::Kind::kNone:
      break;
    case PinSource::Kind::kFile:
      return read_pin_file(source.name);
    case PinSource::Kind::kCredential: {
      const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
      if (folder == nullptr || *folder == '\0') {
        return unreadable("the credential " + source.name,
                          "systemd has given none (CREDENTIALS_DIRECTORY is not set)");
      }
      return read_pin_file((std::filesystem::path(folder) / source.name).string());
    }
    case PinSource::Kind::kEnvironment:
      return read_pin_variable(source.name);
  }
  return Error(ErrorCode::kValidation, "token.pin_source does not say where the token's PIN is");
}

Result<void> check_pin(const PinSource& source) {
  if (source.kind == PinSource::Kind::kEnvironment) {
    TRY(find_pin_variable(source.name));
    return {};
  }
  const bool outside = std::getenv("CREDENTIALS_DIRECTORY") == nullptr;
  if (source.kind == PinSource::Kind::kCredential && outside) return {};
  TRY(read_pin(source));
  return {};
}

}  // namespace keyhold::app
