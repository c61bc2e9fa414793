#include "app/service_metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "app/metrics_text.h"
#include "app/running_service.h"
#include "kms/inventory.h"
#include "kms/rotation.h"
#include "token/token_calls.h"

namespace keyhold::app {
namespace {

using Labels = MetricsText::Labels;

/// What alarms watch: there at 0 before the first, which would else be no increase.
constexpr auto kWatchedErrors =
    std::to_array({ErrorCode::kDependencyTimeout, ErrorCode::kKeyUnavailable,
                   ErrorCode::kKmsInternal, ErrorCode::kThrottling});

void print_calls(MetricsText& text, RunningService& service) {
  const auto rows = service.metrics().read();
  text.family("keyhold_calls_total", "counter",
              "Calls by operation and error; `sts`: those of STS, `unknown`: refused before the "
              "operation was known.");
  for (const auto& row : rows) {
    text.sample({{"operation", row.operation}, {"error", ""}}, row.succeeded);
    for (const auto& [code, count] : row.failed) {
      text.sample({{"operation", row.operation}, {"error", error_row(code).wire_name}}, count);
    }
    for (const ErrorCode code : kWatchedErrors) {
      const bool told = std::ranges::any_of(
          row.failed, [code](const auto& failed) { return failed.first == code; });
      if (told) continue;
      text.sample({{"operation", row.operation}, {"error", error_row(code).wire_name}}, 0);
    }
  }
  text.family("keyhold_call_duration_seconds", "histogram",
              "From the whole request to the answer, audit included.");
  for (const auto& row : rows) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < row.times.size(); ++i) {
      sum += row.times[i];
      std::string bound = "+Inf";
      if (i < CallMetrics::kBounds.size()) {
        std::array<char, 32> digits{};
        const double seconds = static_cast<double>(CallMetrics::kBounds[i]) / 1e6;
        const auto [end, error] = std::to_chars(digits.begin(), digits.end(), seconds);
        bound.assign(digits.begin(), end);
      }
      text.sample("_bucket", {{"operation", row.operation}, {"le", bound}}, sum);
    }
    text.sample("_sum", {{"operation", row.operation}}, static_cast<double>(row.nanoseconds) / 1e9);
    text.sample("_count", {{"operation", row.operation}}, sum);
  }
}

void print_server(MetricsText& text, const RunningService& service) {
  text.family("keyhold_connections", "gauge", "Connections to the API that are open.");
  text.sample({}, service.server().connections());
  text.family("keyhold_queued_requests", "gauge", "Requests that wait for a worker.");
  text.sample({}, service.server().waiting());
  text.family("keyhold_start_time_seconds", "gauge", "When the process began.");
  text.sample({}, static_cast<double>(service.started_at().time_since_epoch().count()) / 1000);
}

void print_audit(MetricsText& text, const RunningService& service) {
  text.family("keyhold_audit_refuses", "gauge",
              "1: calls are refused, since the disk takes no records of them.");
  text.sample({}, service.recorder().check() ? 0 : 1);
  text.family("keyhold_audit_queued_bytes", "gauge", "Of records that are not on the disk yet.");
  text.sample({}, service.recorder().queued_bytes());
}

void print_token(MetricsText& text, const token::Pkcs11Token* token) {
  text.family("keyhold_token_calls_total", "counter",
              "Calls of the token's module by function and answer.");
  for (const auto& call : token::token_calls()) {
    text.sample({{"function", call.function}, {"result", call.answer}}, call.count);
  }
  if (token == nullptr) return;
  const auto health = token->health();
  text.family("keyhold_token_breaker_state", "gauge", "1 for the state that the breaker is in.");
  for (const auto state :
       {token::BreakerState::kClosed, token::BreakerState::kOpen, token::BreakerState::kHalfOpen}) {
    text.sample({{"state", to_string(state)}}, health.breaker == state ? 1 : 0);
  }
  const auto one = [&text](std::string_view name, std::string_view type, std::string_view help,
                           auto value) {
    text.family(name, type, help);
    text.sample({}, value);
  };
  one("keyhold_token_given_up", "gauge",
      "1: the PIN was refused, and is not tried again before a restart.",
      health.readiness == token::Readiness::kGivenUp ? 1 : 0);
  one("keyhold_token_breaker_opened_total", "counter", "How often the token was lost.",
      health.times_opened);
  one("keyhold_token_recoveries_total", "counter", "How often the token was brought back.",
      health.recoveries);
  one("keyhold_token_failed_trials_total", "counter", "Attempts to bring it back that failed.",
      health.failed_trials);
  one("keyhold_token_calls_inside", "gauge", "Calls that are inside the token.",
      health.calls_inside);
  one("keyhold_token_hung_calls", "gauge", "Those beyond the profile's call_timeout.",
      health.hung_calls);
  const auto usage = token->usage();
  one("keyhold_token_sessions", "gauge", "Sessions that are open in the token.", usage.sessions);
  one("keyhold_token_session_objects", "gauge", "Session objects that live.",
      usage.session_objects_living);
  one("keyhold_token_session_objects_made_total", "counter",
      "Session objects made, which cost some modules memory for ever.", usage.session_objects_made);
  one("keyhold_token_message_keys", "gauge", "Message keys that are held.",
      usage.message_keys_cached);
  one("keyhold_token_restart_due", "gauge", "1: the process is to be restarted.",
      token->restart() == token::Pkcs11Token::Restart::kDue ? 1 : 0);
}

double age_of(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

void print_key_states(MetricsText& text, const std::vector<kms::KeyPtr>& keys) {
  text.family("keyhold_keys", "gauge", "KMS keys by state.");
  for (const KeyState state : {KeyState::kEnabled, KeyState::kDisabled, KeyState::kPendingDeletion,
                               KeyState::kPendingImport}) {
    const auto count = std::ranges::count_if(
        keys, [state](const kms::KeyPtr& key) { return key->record().state == state; });
    text.sample({{"state", to_string(state)}}, count);
  }
}

void print_rotations(MetricsText& text, const std::vector<kms::KeyPtr>& keys, TimePoint now) {
  std::array<std::uint64_t, 2> done{};
  std::uint64_t due = 0;
  std::uint64_t running = 0;
  for (const kms::KeyPtr& key : keys) {
    for (const auto& material : key->materials()) {
      const auto& type = material->record.rotation_type;
      if (type) ++done[*type == RotationType::kOnDemand ? 1 : 0];
    }
    if (kms::automatic_rotation_due(*key, now)) ++due;
    const auto& intent = key->running_intent();
    if (intent && intent->kind != store::IntentKind::kImportKeyMaterial) ++running;
  }
  text.family("keyhold_rotations_done", "gauge", "Rotations done, of the keys there are.");
  text.sample({{"type", to_string(RotationType::kAutomatic)}}, done[0]);
  text.sample({{"type", to_string(RotationType::kOnDemand)}}, done[1]);
  text.family("keyhold_rotations_due", "gauge", "Automatic rotations whose date has come.");
  text.sample({}, due);
  text.family("keyhold_rotations_running", "gauge", "Rotations that have begun and not ended.");
  text.sample({}, running);
}

/// Of the keys that are used most.
void print_key_uses(MetricsText& text, std::vector<kms::KeyPtr> keys, std::size_t limit) {
  std::vector<std::pair<std::uint64_t, kms::KeyPtr>> used;
  used.reserve(keys.size());
  for (kms::KeyPtr& key : keys) {
    std::uint64_t uses = 0;
    for (const auto& material : key->materials()) uses += material->uses();
    used.emplace_back(uses, std::move(key));
  }
  std::ranges::stable_sort(used, std::ranges::greater(),
                           [](const auto& pair) { return pair.first; });
  if (used.size() > limit) used.resize(limit);
  text.family(
      "keyhold_key_material_uses_total", "counter",
      "Ciphertexts, signatures and MACs made under a key material in this process, since its "
      "row last changed.");
  for (const auto& [uses, key] : used) {
    for (const auto& material : key->materials()) {
      text.sample({{"key_id", key->id()}, {"material_id", material->record.material_id}},
                  material->uses());
    }
  }
}

/// Of the keys with the fewest rotations left, since these are what somebody has to look at.
void print_rotations_left(MetricsText& text, const RunningService& service,
                          std::vector<kms::KeyPtr> keys) {
  const int limit = rotation_rules_row(service.config().kms.rotation_rules).on_demand_limit;
  std::erase_if(keys, [](const kms::KeyPtr& key) { return !kms::check_rotates(*key); });
  std::ranges::stable_sort(keys, std::ranges::greater(), [](const kms::KeyPtr& key) {
    return key->record().on_demand_rotations;
  });
  if (keys.size() > service.config().key_metrics) keys.resize(service.config().key_metrics);
  text.family("keyhold_on_demand_rotations_left", "gauge", "On-demand rotations a key may have.");
  for (const kms::KeyPtr& key : keys) {
    text.sample({{"key_id", key->id()}}, std::max(limit - key->record().on_demand_rotations, 0));
  }
}

/// Of the key materials that are nearest to the limit.
void print_invocations(MetricsText& text, const RunningService& service, Assembly& assembly,
                       const std::vector<kms::KeyPtr>& keys) {
  struct Row {
    std::uint64_t invocations;
    std::string_view key_id;
    std::string_view material_id;
  };
  std::vector<Row> rows;
  for (const kms::KeyPtr& key : keys) {
    for (const auto& material : key->materials()) {
      if (material->record.construction != Construction::kDirect) continue;
      rows.push_back({inventory_of(assembly.service()).invocations(*material), key->id(),
                      material->record.material_id});
    }
  }
  std::ranges::stable_sort(rows, std::ranges::greater(), &Row::invocations);
  if (rows.size() > service.config().key_metrics) rows.resize(service.config().key_metrics);
  text.family(
      "keyhold_key_material_invocations", "gauge",
      "Encryptions counted towards 2^32 under a key material that encrypts messages itself; "
      "0 until this process first uses it.");
  for (const Row& row : rows) {
    text.sample({{"key_id", row.key_id}, {"material_id", row.material_id}}, row.invocations);
  }
}

}  // namespace

std::string print_metrics(RunningService& service) {
  MetricsText text;
  const token::Pkcs11Token* token = service.token();
  Assembly* assembly = service.assembly();
  text.family(
      "keyhold_ready", "gauge",
      "What /readyz says now. 1: everything is loaded, the token encrypts and decrypts, and "
      "the store answers.");
  text.sample({}, service.check_readiness() ? 1 : 0);
  print_calls(text, service);
  print_server(text, service);
  print_audit(text, service);
  print_token(text, token);
  if (assembly != nullptr) {
    const auto keys = inventory_of(assembly->service()).all_keys();
    print_key_states(text, keys);
    print_rotations(text, keys, service.domain_now());
    print_key_uses(text, keys, service.config().key_metrics);
    print_rotations_left(text, service, keys);
    print_invocations(text, service, *assembly, keys);
    text.family(
        "keyhold_snapshot_age_seconds", "gauge",
        "Since what is held in memory was read; changes are made to store and memory alike.");
    text.sample({{"snapshot", "principals"}}, age_of(assembly->principals().loaded_at()));
    text.sample({{"snapshot", "store"}}, age_of(assembly->loaded_at()));
  }
  return std::move(text).take();
}

}  // namespace keyhold::app
