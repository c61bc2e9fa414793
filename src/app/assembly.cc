#include "app/assembly.h"

#include <array>
#include <utility>

#include "app/inspection.h"
#include "app/policy_explanation.h"
#include "app/service_key.h"
#include "base/log.h"

namespace keyhold::app {
namespace {

// How long one request of an operator may take that waits for materials to be wrapped anew.
constexpr auto kRewrappingAllowance = std::chrono::seconds(3);
constexpr std::string_view kSerialSetting = "token-serial";

/// A store belongs to the token its keys are in; another one would seem to have lost them all.
Result<void> check_serial(store::Store& store, const token::Token& token) {
  const auto serial = token.identity().serial;
  TRY_ASSIGN(const auto known, store.setting(kSerialSetting));
  if (!known) return store.put_setting(kSerialSetting, serial);
  if (*known == serial) return {};
  return Error(ErrorCode::kValidation, "the store belongs to the token of serial " + *known +
                                           ", and this one's is " + serial);
}

iam::RegionPolicy regions_of(const Config& config) {
  return config.regions.empty() ? iam::RegionPolicy::any()
                                : iam::RegionPolicy::one_of(config.regions);
}

}  // namespace

Result<std::unique_ptr<Assembly>> Assembly::make(const Config& config, const AssemblyParts& parts) {
  TRY(check_serial(parts.store, parts.token));
  TRY_ASSIGN(token::Material service_key, open_service_key(parts.store, parts.token, parts.random));
  auto principals = std::make_unique<PrincipalStore>(
      parts.store, parts.wall_clock,
      PrincipalOptions{config.account, config.administrator, config.principals_file,
                       knows_condition_key});
  kms::ServiceOptions options = config.kms;
  if (config.unknown_principals == UnknownPrincipals::kRefuse) {
    options.known_principals = &principals->directory();
  }
  options.own_objects.push_back(service_key.object_name);
  options.service_key = service_key;
  TRY_ASSIGN(std::unique_ptr<kms::Service> service,
             kms::Service::start(parts.store, parts.token, parts.domain_clock, parts.random,
                                 parts.recorder, std::move(options)));
  std::unique_ptr<Assembly> assembly(new Assembly(config, parts, std::move(service_key),
                                                  std::move(principals), std::move(service)));
  TRY(assembly->load());
  return assembly;
}

Assembly::Assembly(const Config& config, const AssemblyParts& parts, token::Material service_key,
                   std::unique_ptr<PrincipalStore> principals,
                   std::unique_ptr<kms::Service> service)
    : parts_(parts),
      service_key_(std::move(service_key)),
      sealer_(parts.token, service_key_, parts.random),
      credentials_(parts.store, sealer_, parts.wall_clock, parts.random),
      principals_(std::move(principals)),
      service_(std::move(service)),
      token_sealer_(sealer_, service_key_),
      session_credentials_(token_sealer_, principals_->directory(), principals_->revocations(),
                           parts.random, principals_->options().knows_key),
      sources_(credentials_.snapshot(), session_credentials_),
      verifier_(sources_, regions_of(config)),
      session_verifier_(sources_, regions_of(config), "sts"),
      session_service_(principals_->directory(), session_credentials_, principals_->providers()),
      principal_commands_(*principals_, credentials_, verifier_, parts.recorder),
      dispatcher_(*service_),
      session_gateway_(session_verifier_, principals_->directory(), session_service_,
                       parts.recorder, parts.wall_clock),
      gateway_(verifier_, principals_->directory(), dispatcher_, session_gateway_, parts.recorder,
               parts.limiter, parts.metrics, parts.wall_clock) {}

Assembly::~Assembly() {
  watch_.reset();
  service_->stop();
}

Result<void> Assembly::load() {
  TRY(credentials_.load());
  TRY(principals_->load());
  const auto& file = principals_->options().file;
  if (file.empty()) return {};
  TRY_ASSIGN(watch_, FileWatch::start(file, [this] {
               const auto loaded = principals_->load();
               if (!loaded) log::error("principals stay as they were: " + loaded.error().message());
             }));
  return {};
}

Result<void> Assembly::prove() {
  TRY(parts_.recorder.check());
  constexpr std::string_view kPurpose = "keyhold readiness";
  std::array<std::uint8_t, 16> drawn{};
  parts_.random.fill(drawn);
  TRY_ASSIGN(const Bytes sealed, sealer_.seal(drawn, as_bytes(kPurpose)));
  TRY_ASSIGN(const Secret opened, sealer_.open(sealed, as_bytes(kPurpose)));
  if (!equal_in_constant_time(opened.view(), drawn)) {
    return Error(ErrorCode::kKmsInternal, {}, "the token decrypts to something else");
  }
  TRY_ASSIGN(const auto serial, parts_.store.setting(kSerialSetting));
  if (serial) return {};
  return Error(ErrorCode::kKmsInternal, {}, "the store has forgotten its token");
}

Result<std::string> Assembly::answer(const Operator& by, std::string_view command,
                                     const json::Value& request) {
  if (command == "key.inspect") {
    const auto id = request.member("keyId");
    return inspect_key(*service_, parts_.token, id ? id->string().value_or("") : "");
  }
  if (command == "reconcile") {
    TRY_ASSIGN(const auto report, service_->reconcile());
    return render_reconcile(report);
  }
  if (command == "wrapping-key.list") return render_wrapping_keys(service_->wrapping_keys());
  if (command == "wrapping-key.rotate") {
    TRY(service_->rotate_wrapping_key());
    return render_wrapping_keys(service_->wrapping_keys());
  }
  if (command == "wrapping-key.continue") {
    TRY(service_->continue_rewrapping(kRewrappingAllowance));
    return render_wrapping_keys(service_->wrapping_keys());
  }
  if (auto answer = principal_commands_.answer(by, command, request)) return *answer;
  if (command == "policy.explain") {
    return explain_policy(*service_, principals_->directory(), parts_.wall_clock, request);
  }
  return Error(ErrorCode::kValidation, "there is no command '" + std::string(command) + "'");
}

}  // namespace keyhold::app
