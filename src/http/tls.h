// TLS 1.2 and 1.3 for the server's side of a connection: certificates, parameters, and which client
// certificates are asked for. The only user of OpenSSL's SSL here beside stream.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

struct ssl_st;
struct ssl_ctx_st;

namespace keyhold::http {

enum class ClientCertificates : std::uint8_t {
  kNotAsked,
  kOptional,  ///< one that is shown must be good
  kRequired,
};

struct TlsOptions {
  std::string certificate_chain;  ///< PEM, the server's own certificate first
  Secret private_key;             ///< PEM, not encrypted
  ClientCertificates client_certificates = ClientCertificates::kNotAsked;
  /// PEM: who may have signed client certificates. Needed where these are asked for.
  std::string client_authorities;
};

/// What a caller's TLS connection was agreed to be; texts as OpenSSL names them.
struct TlsFacts {
  std::string version;       ///< `TLSv1.3`; empty without TLS
  std::string cipher_suite;  ///< `TLS_AES_256_GCM_SHA384`
  /// The subject of the client's certificate in RFC 2253's form; empty if it showed none.
  std::string client_subject;
};

struct SslDeleter {
  void operator()(ssl_st* connection) const;
};
using SslPtr = std::unique_ptr<ssl_st, SslDeleter>;

/// Bytes from the network on their way to OpenSSL, which asks for them where it would read a
/// socket. So the owner can wait for them as it does without TLS, and OpenSSL is not asked before
/// they are there.
class Arrivals {
 public:
  bool empty() const { return begin_ == end_; }

  /// Room to receive into. Only while nothing is here.
  std::span<std::uint8_t> room() { return bytes_; }
  void commit(std::size_t count) {
    begin_ = 0;
    end_ = count;
  }

  /// How many were moved to `out`.
  std::size_t take(std::span<std::uint8_t> out);

 private:
  std::array<std::uint8_t, 4096> bytes_;  // most requests; a connection holds it as long as it is
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Everything that new connections share. Immutable: a new certificate is a new context, and
/// connections end under the one they began with.
///
/// Sessions are resumed by tickets, so that nothing is kept for them and no lock is shared. A new
/// context makes its own ticket keys.
class TlsContext {
 public:
  /// kValidation with a sentence for the operator: text that is no PEM, a key that is not the
  /// certificate's, no authority where client certificates are asked for.
  static Result<std::shared_ptr<const TlsContext>> make(const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// The server's end of a connection that writes to a connected socket and reads from `arrivals`.
  /// Both stay the caller's and outlive it. Null if memory is short.
  SslPtr new_connection(int socket, Arrivals& arrivals) const;

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

/// After the handshake.
TlsFacts facts_of(const ssl_st& connection);

/// A certificate for development: P-256, signed by itself, good for a year.
struct SelfSignedCertificate {
  std::string certificate;  ///< PEM
  Secret private_key;       ///< PEM
};
/// `names`: DNS names and numeric addresses, the first one the subject's.
Result<SelfSignedCertificate> make_self_signed_certificate(const std::vector<std::string>& names);

}  // namespace keyhold::http
