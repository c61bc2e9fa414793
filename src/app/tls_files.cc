#include "app/tls_files.h"

#include <sys/stat.h>

#include <filesystem>

namespace keyhold::app {
namespace {

constexpr std::string_view kMadeKeyFile = "private-key.pem";
// A made certificate is good for a year.
constexpr auto kRenewAfter = kDay * 300;

Result<Secret> read_secret_file(const std::string& path) {
  TRY_ASSIGN(std::string text, read_file(path));
  Secret secret{std::string_view(text)};
  wipe(text.data(), text.size());
  return secret;
}

}  // namespace

Result<http::TlsOptions> read_tls_files(const TlsFiles& files) {
  struct stat state {};
  if (::stat(files.private_key.c_str(), &state) == 0 && (state.st_mode & S_IRWXO) != 0) {
    return Error(ErrorCode::kValidation, "every user of the machine may use the private key " +
                                             files.private_key + "; chmod o= it");
  }
  http::TlsOptions options;
  TRY_ASSIGN(options.certificate_chain, read_file(files.certificate));
  TRY_ASSIGN(options.private_key, read_secret_file(files.private_key));
  options.client_certificates = files.client_certificates;
  if (!files.client_authorities.empty()) {
    TRY_ASSIGN(options.client_authorities, read_file(files.client_authorities));
  }
  return options;
}

Result<void> check_tls_files(const TlsFiles& files) {
  if (files.certificate.empty()) return {};
  TRY_ASSIGN(const auto options, read_tls_files(files));
  TRY(http::TlsContext::make(options));
  return {};
}

Result<http::TlsOptions> made_tls_files(const DataFolder& folder) {
  const auto certificate = folder.file(kMadeCertificateFile);
  const auto key = folder.file(kMadeKeyFile);
  std::error_code error;
  const auto made_at = std::filesystem::last_write_time(certificate, error);
  if (error || std::filesystem::file_time_type::clock::now() - made_at > kRenewAfter ||
      !std::filesystem::exists(key, error)) {
    TRY_ASSIGN(const auto made,
               http::make_self_signed_certificate({"localhost", "127.0.0.1", "::1"}));
    TRY(write_private_file(key, made.private_key.text()));
    TRY(write_private_file(certificate, made.certificate));
  }
  TlsFiles files;
  files.certificate = certificate.string();
  files.private_key = key.string();
  return read_tls_files(files);
}

}  // namespace keyhold::app
