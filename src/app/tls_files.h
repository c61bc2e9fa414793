// The service's certificate and key, from files.
#pragma once

#include "app/config.h"
#include "app/data_folder.h"
#include "base/result.h"
#include "http/tls.h"

namespace keyhold::app {

/// Reads what the configuration names. kValidation with a sentence for a file that cannot be read,
/// and for a private key that every user of the machine may read.
Result<http::TlsOptions> read_tls_files(const TlsFiles& files);

/// Whether a server could be started with them: kValidation with a sentence. Nothing without TLS.
Result<void> check_tls_files(const TlsFiles& files);

/// Of dev mode: the certificate in the folder, made for loopback where there is none or an old one.
Result<http::TlsOptions> made_tls_files(const DataFolder& folder);

inline constexpr std::string_view kMadeCertificateFile = "certificate.pem";

}  // namespace keyhold::app
