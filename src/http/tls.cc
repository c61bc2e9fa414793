#include "http/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace keyhold::http {
namespace {

// Forward secrecy and authenticated encryption alone; TLS 1.3 has nothing else.
constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr std::array<unsigned char, 9> kHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
constexpr std::array<unsigned char, 7> kSessionContext = {'k', 'e', 'y', 'h', 'o', 'l', 'd'};
constexpr long kCertificateDays = 365;

template <auto kFree>
struct Freeing {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Freeing<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Freeing<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freeing<X509_EXTENSION_free>>;

Error refused(std::string sentence) {
  ERR_clear_error();
  return Error(ErrorCode::kValidation, std::move(sentence));
}

Bio reader(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// All certificates of the text, in its order.
Result<std::vector<Certificate>> read_certificates(std::string_view pem, std::string_view what) {
  const Bio bio = reader(pem);
  std::vector<Certificate> found;
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    found.emplace_back(next);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (found.empty() || !at_end) {
    return refused("TLS: the " + std::string(what) + " is not a list of certificates in PEM.");
  }
  return found;
}

/// A key that is encrypted is refused, instead of asking a terminal for its passphrase.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*rw*/, void* /*data*/) { return -1; }

Result<void> use_certificate(SSL_CTX* context, const TlsOptions& options) {
  TRY_ASSIGN(const auto chain, read_certificates(options.certificate_chain, "certificate"));
  const Bio bio = reader(options.private_key.text());
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (key == nullptr) return refused("TLS: the private key is not an unencrypted key in PEM.");
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return refused("TLS: the certificate cannot be used (is its key too short?).");
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    SSL_CTX_add1_chain_cert(context, chain[i].get());
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return refused("TLS: the private key is not that of the certificate.");
  }
  return {};
}

Result<void> ask_for_client_certificates(SSL_CTX* context, const TlsOptions& options) {
  if (options.client_certificates == ClientCertificates::kNotAsked) return {};
  if (options.client_authorities.empty()) {
    return refused("TLS: client certificates are asked for, and no authority is named for them.");
  }
  TRY_ASSIGN(const auto authorities,
             read_certificates(options.client_authorities, "client authority"));
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const Certificate& authority : authorities) {
    X509_STORE_add_cert(store, authority.get());
    SSL_CTX_add_client_CA(context, authority.get());
  }
  const bool required = options.client_certificates == ClientCertificates::kRequired;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  return {};
}

int select_protocol(SSL* /*connection*/, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void* /*data*/) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11.data(), kHttp11.size(), in, in_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

bool set_parameters(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);  // a record's head and body in one read
  // Tickets hold what resumption needs; a cache here would be a lock that all connections share.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // A session whose connection merely ended may be resumed (RFC 8446 section 6.1).
  SSL_CTX_set_quiet_shutdown(context, 1);
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  return SSL_CTX_set_cipher_list(context, kTls12Ciphers) == 1 &&
         SSL_CTX_set1_groups_list(context, kGroups) == 1 &&
         SSL_CTX_set_session_id_context(context, kSessionContext.data(), kSessionContext.size()) ==
             1;
}

bool is_address(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> address;
  return ::inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
}

bool add_extension(X509* certificate, int kind, const std::string& value) {
  const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string written(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(size)};
}

int read_arrivals(BIO* bio, char* out, std::size_t size, std::size_t* got) {
  auto* arrivals = static_cast<Arrivals*>(BIO_get_data(bio));
  *got = arrivals->take({reinterpret_cast<std::uint8_t*>(out), size});
  BIO_clear_retry_flags(bio);
  if (*got == 0) BIO_set_retry_read(bio);
  return *got == 0 ? 0 : 1;
}

long answer_no_question(BIO* /*bio*/, int /*command*/, long /*number*/, void* /*pointer*/) {
  return 0;
}

/// OpenSSL's view of Arrivals. One for the whole process and as long as that, as OpenSSL's own.
const BIO_METHOD* arrivals_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "arrivals");
    if (made != nullptr) {
      BIO_meth_set_read_ex(made, read_arrivals);
      BIO_meth_set_ctrl(made, answer_no_question);
    }
    return made;
  }();
  return method;
}

Bio reader_of(Arrivals& arrivals) {
  const BIO_METHOD* method = arrivals_method();
  Bio bio(method == nullptr ? nullptr : BIO_new(method));
  if (bio != nullptr) {
    BIO_set_data(bio.get(), &arrivals);
    BIO_set_init(bio.get(), 1);
  }
  return bio;
}

}  // namespace

std::size_t Arrivals::take(std::span<std::uint8_t> out) {
  const std::size_t count = std::min(out.size(), end_ - begin_);
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(begin_), count, out.begin());
  begin_ += count;
  return count;
}

void SslDeleter::operator()(ssl_st* connection) const { SSL_free(connection); }

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const TlsOptions& options) {
  SSL_CTX* raw = SSL_CTX_new(TLS_server_method());
  if (raw == nullptr) return refused("TLS: OpenSSL cannot be used.");
  std::shared_ptr<const TlsContext> context(new TlsContext(raw));
  if (!set_parameters(raw)) return refused("TLS: OpenSSL lacks the ciphers or groups needed.");
  TRY(use_certificate(raw, options));
  TRY(ask_for_client_certificates(raw, options));
  return context;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

SslPtr TlsContext::new_connection(int socket, Arrivals& arrivals) const {
  SslPtr connection(SSL_new(context_));
  Bio reading = reader_of(arrivals);
  Bio writing(BIO_new_socket(socket, BIO_NOCLOSE));
  if (connection == nullptr || reading == nullptr || writing == nullptr) {
    ERR_clear_error();
    return nullptr;
  }
  SSL_set0_rbio(connection.get(), reading.release());
  SSL_set0_wbio(connection.get(), writing.release());
  SSL_set_accept_state(connection.get());
  return connection;
}

TlsFacts facts_of(const ssl_st& connection) {
  TlsFacts facts;
  facts.version = SSL_get_version(&connection);
  if (const char* name = SSL_CIPHER_standard_name(SSL_get_current_cipher(&connection))) {
    facts.cipher_suite = name;
  }
  if (const X509* shown = SSL_get0_peer_certificate(&connection)) {
    const Bio bio(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(bio.get(), X509_get_subject_name(shown), 0, XN_FLAG_RFC2253);
    facts.client_subject = written(bio.get());
  }
  return facts;
}

Result<SelfSignedCertificate> make_self_signed_certificate(const std::vector<std::string>& names) {
  const Error failed(ErrorCode::kKmsInternal, "TLS: no certificate could be made.");
  if (names.empty()) return failed;
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  if (key == nullptr || certificate == nullptr) return failed;
  X509* made = certificate.get();

  std::array<unsigned char, 16> serial;
  if (RAND_bytes(serial.data(), serial.size()) != 1) return failed;
  serial.front() &= 0x7f;  // RFC 5280 section 4.1.2.2: positive
  const std::unique_ptr<BIGNUM, Freeing<BN_free>> number(
      BN_bin2bn(serial.data(), serial.size(), nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made));
  X509_set_version(made, X509_VERSION_3);
  // An hour ago, for machines whose clocks are not quite the same.
  X509_gmtime_adj(X509_getm_notBefore(made), -3600);
  X509_time_adj_ex(X509_getm_notAfter(made), kCertificateDays, 0, nullptr);
  X509_set_pubkey(made, key.get());
  X509_NAME* subject = X509_get_subject_name(made);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(names.front().c_str()), -1, -1,
                             0);
  X509_set_issuer_name(made, subject);

  std::string alternatives;
  for (const std::string& name : names) {
    if (!alternatives.empty()) alternatives += ",";
    alternatives += (is_address(name) ? "IP:" : "DNS:") + name;
  }
  // An authority of its own, so that a client can be told to trust it and nothing else.
  if (!add_extension(made, NID_subject_alt_name, alternatives) ||
      !add_extension(made, NID_basic_constraints, "critical,CA:TRUE") ||
      !add_extension(made, NID_ext_key_usage, "serverAuth,clientAuth") ||
      X509_sign(made, key.get(), EVP_sha256()) == 0) {
    ERR_clear_error();
    return failed;
  }
  SelfSignedCertificate result;
  const Bio certificate_text(BIO_new(BIO_s_mem()));
  const Bio key_text(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_X509(certificate_text.get(), made) != 1 ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return failed;
  }
  result.certificate = written(certificate_text.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(key_text.get(), &text);
  result.private_key = Secret(std::string_view(text, static_cast<std::size_t>(size)));
  return result;
}

}  // namespace keyhold::http
