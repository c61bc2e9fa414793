// TLS on the server's side, looked at from a client's.
#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server_fixture.h"
#include "tls_client.h"

namespace keyhold::http {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

SelfSignedCertificate make_certificate(const std::string& name = "127.0.0.1") {
  auto made = make_self_signed_certificate({name, "localhost"});
  EXPECT_TRUE(made.has_value());
  return std::move(*made);
}

TlsOptions use(const SelfSignedCertificate& certificate) {
  TlsOptions options;
  options.certificate_chain = certificate.certificate;
  options.private_key = certificate.private_key;
  return options;
}

class ServerTls : public ServerTest {
 protected:
  ServerTls() { options.tls = use(certificate_); }

  TlsClientOptions trusting(const SelfSignedCertificate& certificate) const {
    TlsClientOptions client;
    client.trusted = certificate.certificate;
    return client;
  }
  TlsClient connect() { return TlsClient(server->port(), trusting(certificate_)); }
  bool serves(TlsClient& client) {
    return client.agreed() &&
           testing::Value(client.ask(post("hello"), "hello"), StartsWith("HTTP/1.1 200 "));
  }
  void expect_refused(const TlsOptions& tls, const std::string& sentence) {
    const auto made = TlsContext::make(tls);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code(), ErrorCode::kValidation);
    EXPECT_EQ(made.error().message(), sentence);
  }

  const SelfSignedCertificate certificate_ = make_certificate();
};

TEST_F(ServerTls, SpeaksVersion13WithAP256CertificateThatTheClientVerifies) {
  start();
  TlsClient client = connect();
  ASSERT_TRUE(client.agreed());
  EXPECT_EQ(client.version(), "TLSv1.3");
  EXPECT_EQ(client.key_group(), "prime256v1");
  EXPECT_TRUE(serves(client));
  EXPECT_TRUE(serves(client));  // and the connection stays open
}

TEST_F(ServerTls, SpeaksVersion12WithForwardSecrecyAndAuthenticatedEncryptionAlone) {
  start();
  TlsClientOptions old = trusting(certificate_);
  old.most_version = TLS1_2_VERSION;
  TlsClient client(server->port(), old);
  ASSERT_TRUE(client.agreed());
  EXPECT_EQ(client.version(), "TLSv1.2");
  EXPECT_THAT(client.cipher(), StartsWith("TLS_ECDHE_ECDSA_WITH_"));
  EXPECT_THAT(client.cipher(), AnyOf(HasSubstr("GCM"), HasSubstr("CHACHA20")));
  EXPECT_TRUE(serves(client));
}

TEST_F(ServerTls, RefusesOlderVersions) {
  start();
  TlsClientOptions old = trusting(certificate_);
  old.least_version = TLS1_VERSION;
  old.most_version = TLS1_1_VERSION;
  EXPECT_FALSE(TlsClient(server->port(), old).agreed());
  TlsClient client = connect();
  EXPECT_TRUE(serves(client));
}

TEST_F(ServerTls, AClientWithoutTlsGetsNoAnswer) {
  start();
  RawClient plain = client();
  plain.send(post("hello"));
  EXPECT_FALSE(plain.receive());
}

TEST_F(ServerTls, ResumesSessionsOfBothVersions) {
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClientOptions client = trusting(certificate_);
    client.least_version = client.most_version = version;
    SSL_SESSION* session = nullptr;
    {
      TlsClient first(server->port(), client);
      ASSERT_TRUE(serves(first));  // with the answer come version 1.3's tickets
      EXPECT_FALSE(first.was_resumed());
      session = first.session();
    }
    client.resumed = session;
    TlsClient second(server->port(), client);
    EXPECT_TRUE(serves(second));
    EXPECT_TRUE(second.was_resumed()) << version;
    SSL_SESSION_free(session);
  }
}

TEST_F(ServerTls, TellsTheHandlerWhatWasAgreed) {
  std::mutex mutex;
  std::vector<TlsFacts> seen;
  start([&](Request& request) {
    const std::lock_guard lock(mutex);
    seen.push_back(request.tls);
    return echo(request);
  });
  TlsClient client = connect();
  ASSERT_TRUE(serves(client));
  ASSERT_TRUE(serves(client));
  const std::lock_guard lock(mutex);
  ASSERT_EQ(seen.size(), 2U);
  for (const TlsFacts& facts : seen) {
    EXPECT_EQ(facts.version, "TLSv1.3");
    EXPECT_EQ(facts.cipher_suite, client.cipher());
    EXPECT_EQ(facts.client_subject, "");
  }
}

TEST_F(ServerTls, UsesANewCertificateForNewConnectionsAlone) {
  start();
  TlsClient open = connect();
  ASSERT_TRUE(serves(open));
  const SelfSignedCertificate next = make_certificate();
  ASSERT_TRUE(server->reload_tls(use(next)));
  // Until a connection is open, the thread that will take it may not have seen the new one; which
  // it sees when it takes it.
  TlsClient fresh(server->port(), trusting(next));
  EXPECT_TRUE(serves(fresh));
  EXPECT_FALSE(connect().agreed());
  EXPECT_TRUE(serves(open));
}

TEST_F(ServerTls, AFailedReloadChangesNothing) {
  start();
  TlsOptions bad = use(make_certificate());
  bad.private_key = certificate_.private_key;
  EXPECT_FALSE(server->reload_tls(bad));
  TlsClient client = connect();
  EXPECT_TRUE(serves(client));
}

TEST_F(ServerTls, IsNotTurnedOnByAReload) {
  options.tls.reset();
  start();
  const auto reloaded = server->reload_tls(use(certificate_));
  ASSERT_FALSE(reloaded.has_value());
  EXPECT_EQ(reloaded.error().message(), "TLS cannot be turned on while the server runs.");
  EXPECT_TRUE(ServerTest::serves());
}

TEST_F(ServerTls, AsksForClientCertificatesAsToldTo) {
  const SelfSignedCertificate known = make_certificate("client-one");
  const SelfSignedCertificate stranger = make_certificate("stranger");
  std::mutex mutex;
  std::string subject;
  const auto handler = [&](Request& request) {
    const std::lock_guard lock(mutex);
    subject = request.tls.client_subject;
    return echo(request);
  };
  const auto client_with = [&](const SelfSignedCertificate* certificate) {
    TlsClientOptions client = trusting(certificate_);
    if (certificate != nullptr) {
      client.certificate = certificate->certificate;
      client.private_key = certificate->private_key.text();
    }
    return TlsClient(server->port(), client);
  };
  options.tls->client_authorities = known.certificate;
  for (const auto asked : {ClientCertificates::kOptional, ClientCertificates::kRequired}) {
    options.tls->client_certificates = asked;
    start(handler);
    TlsClient friendly = client_with(&known);
    EXPECT_TRUE(serves(friendly));
    {
      const std::lock_guard lock(mutex);
      EXPECT_EQ(subject, "CN=client-one");
    }
    TlsClient unknown = client_with(&stranger);
    EXPECT_FALSE(serves(unknown));
    TlsClient without = client_with(nullptr);
    EXPECT_EQ(serves(without), asked == ClientCertificates::kOptional);
    server.reset();
  }
}

TEST_F(ServerTls, ASilentClientIsClosedAtItsDeadline) {
  options.header_read_timeout = 50ms;
  start();
  RawClient silent = client();
  EXPECT_TRUE(silent.is_closed_within(20s));
}

TEST_F(ServerTls, AHalfDoneHandshakeMakesRoomForANewConnection) {
  options.max_connections = 2;
  options.io_threads = 1;
  start();
  RawClient first = client();
  RawClient second = client();
  ASSERT_TRUE(eventually([&] { return server->connections() == 2; }));
  TlsClient third = connect();
  EXPECT_TRUE(serves(third));
}

TEST_F(ServerTls, LargeBodiesAndAnswersGoThrough) {
  start();
  TlsClient client = connect();
  const std::string large(700'000, 'x');
  EXPECT_THAT(client.ask(post(large), large), HasSubstr(large));
}

TEST_F(ServerTls, RefusesWhatIsNoCertificateOrNotItsKeyWithASentence) {
  TlsOptions tls = use(certificate_);
  tls.certificate_chain = "no certificate";
  expect_refused(tls, "TLS: the certificate is not a list of certificates in PEM.");
  tls = use(certificate_);
  tls.certificate_chain += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  expect_refused(tls, "TLS: the certificate is not a list of certificates in PEM.");
  tls = use(certificate_);
  tls.private_key = Secret(std::string_view("no key"));
  expect_refused(tls, "TLS: the private key is not an unencrypted key in PEM.");
  tls.private_key = make_certificate().private_key;
  expect_refused(tls, "TLS: the private key is not that of the certificate.");
  tls = use(certificate_);
  tls.client_certificates = ClientCertificates::kOptional;
  expect_refused(tls,
                 "TLS: client certificates are asked for, and no authority is named for them.");
}

TEST_F(ServerTls, AServerDoesNotStartWithSuchACertificate) {
  options.tls->private_key = Secret(std::string_view("no key"));
  const auto started = Server::start(options, echo, overloaded, protocol_error);
  ASSERT_FALSE(started.has_value());
  EXPECT_THAT(started.error().message(), HasSubstr("private key"));
}

}  // namespace
}  // namespace keyhold::http
