// A blocking TLS client that looks at what it was given.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "http/tls.h"
#include "raw_client.h"

namespace keyhold::http {

struct TlsClientOptions {
  int least_version = TLS1_2_VERSION;
  int most_version = TLS1_3_VERSION;
  std::string trusted;      ///< PEM of the certificate to trust
  std::string certificate;  ///< PEM of its own, if it has one
  std::string private_key;
  SSL_SESSION* resumed = nullptr;
};

class TlsClient {
 public:
  TlsClient(std::uint16_t port, const TlsClientOptions& options)
      : socket_(port), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    SSL_CTX* context = context_.get();
    // Old versions are only offered at all at this level.
    SSL_CTX_set_cipher_list(context, "DEFAULT:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(context, options.least_version);
    SSL_CTX_set_max_proto_version(context, options.most_version);
    if (!options.trusted.empty()) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate(options.trusted).get());
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    }
    if (!options.certificate.empty()) {
      SSL_CTX_use_certificate(context, certificate(options.certificate).get());
      BIO* bio =
          BIO_new_mem_buf(options.private_key.data(), static_cast<int>(options.private_key.size()));
      EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
      SSL_CTX_use_PrivateKey(context, key);
      EVP_PKEY_free(key);
      BIO_free(bio);
    }
    connection_.reset(SSL_new(context));
    SSL_set_fd(connection_.get(), socket_.descriptor());
    if (options.resumed != nullptr) SSL_set_session(connection_.get(), options.resumed);
    agreed_ = SSL_connect(connection_.get()) == 1;
  }

  /// Whether the handshake succeeded, as far as this side can see.
  bool agreed() const { return agreed_; }
  bool was_resumed() const { return SSL_session_reused(connection_.get()) == 1; }
  std::string version() const { return SSL_get_version(connection_.get()); }
  std::string cipher() const {
    return SSL_CIPHER_standard_name(SSL_get_current_cipher(connection_.get()));
  }
  std::string key_group() const {
    EVP_PKEY* key = X509_get0_pubkey(SSL_get0_peer_certificate(connection_.get()));
    char name[64] = {};
    EVP_PKEY_get_group_name(key, name, sizeof name, nullptr);
    return name;
  }
  /// What may be resumed later; to be freed.
  SSL_SESSION* session() const { return SSL_get1_session(connection_.get()); }

  /// The answer's bytes up to the end of `body`; what came if the connection ends before.
  std::string ask(std::string_view request, std::string_view body) {
    SSL_write(connection_.get(), request.data(), static_cast<int>(request.size()));
    std::string received;
    char bytes[4096];
    while (!received.ends_with(body)) {
      const int count = SSL_read(connection_.get(), bytes, sizeof bytes);
      if (count <= 0) break;
      received.append(bytes, static_cast<std::size_t>(count));
    }
    return received;
  }

 private:
  static std::unique_ptr<X509, decltype(&X509_free)> certificate(const std::string& pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    std::unique_ptr<X509, decltype(&X509_free)> read(
        PEM_read_bio_X509(bio, nullptr, nullptr, nullptr), X509_free);
    BIO_free(bio);
    return read;
  }
  struct Free {
    void operator()(SSL* connection) const {
      SSL_shutdown(connection);  // else the session may not be resumed
      SSL_free(connection);
    }
  };

  RawClient socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, Free> connection_;
  bool agreed_ = false;
};

}  // namespace keyhold::http
