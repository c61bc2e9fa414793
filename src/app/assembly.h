// Everything behind the sockets, put together over a store and a token that are there.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "api/dispatcher.h"
#include "app/config.h"
#include "app/credential_sources.h"
#include "app/credential_store.h"
#include "app/event_recorder.h"
#include "app/file_watch.h"
#include "app/gateway.h"
#include "app/principal_commands.h"
#include "app/principal_store.h"
#include "app/security_token_sealer.h"
#include "app/session_gateway.h"
#include "base/json.h"
#include "http/message.h"
#include "kms/service.h"
#include "store/sqlite_store.h"
#include "sts/service.h"
#include "token/sealer.h"
#include "token/token.h"

namespace keyhold::app {

/// What an assembly is built over; everything outlives it.
struct AssemblyParts {
  store::SqliteStore& store;
  token::Token& token;
  EventRecorder& recorder;
  RateLimiter& limiter;
  CallMetrics& metrics;
  const Clock& wall_clock;    ///< of signatures and sessions
  const Clock& domain_clock;  ///< of keys
  Random& random;
};

class Assembly {
 public:
  /// Compares store and token, makes the service key if there is none, loads everything, finishes
  /// what a crash left and starts the workers.
  ///
  /// Errors: kValidation with a sentence for what an operator must mend; kKeyUnavailable where the
  /// token went away in the middle, and then it may be tried again.
  static Result<std::unique_ptr<Assembly>> make(const Config& config, const AssemblyParts& parts);

  ~Assembly();
  Assembly(const Assembly&) = delete;
  Assembly& operator=(const Assembly&) = delete;

  /// Answers a request; from many threads.
  http::Response handle(http::Request& request) { return gateway_.handle(request); }

  /// Answers an operator's command with one JSON object (ControlHandler).
  Result<std::string> answer(const Operator& by, std::string_view command,
                             const json::Value& request);

  /// Whether token, store and audit trail are of use now: encrypts and decrypts in the token
  /// without a login, and asks the store. kKmsInternal or kKeyUnavailable; the detail says what
  /// failed.
  Result<void> prove();

  std::chrono::steady_clock::time_point loaded_at() const { return loaded_at_; }

  CredentialStore& credentials() { return credentials_; }
  PrincipalStore& principals() { return *principals_; }
  kms::Service& service() { return *service_; }
  EventRecorder& recorder() { return parts_.recorder; }

  /// Stops the workers; what runs is finished.
  void stop() { service_->stop(); }

 private:
  Assembly(const Config& config, const AssemblyParts& parts, token::Material service_key,
           std::unique_ptr<PrincipalStore> principals, std::unique_ptr<kms::Service> service);
  Result<void> load();

  // In the order in which one refers to another.
  const AssemblyParts parts_;
  const token::Material service_key_;
  token::Sealer sealer_;
  CredentialStore credentials_;
  const std::unique_ptr<PrincipalStore> principals_;
  const std::unique_ptr<kms::Service> service_;
  SecurityTokenSealer token_sealer_;
  sts::SessionCredentials session_credentials_;
  const CredentialSources sources_;
  iam::SigV4Verifier verifier_;
  const iam::SigV4Verifier session_verifier_;
  const sts::Service session_service_;
  PrincipalCommands principal_commands_;
  api::Dispatcher dispatcher_;
  SessionGateway session_gateway_;
  Gateway gateway_;
  const std::chrono::steady_clock::time_point loaded_at_ = std::chrono::steady_clock::now();
  std::unique_ptr<FileWatch> watch_;
};

}  // namespace keyhold::app
