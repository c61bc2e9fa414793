#include "api/dispatcher.h"

#include <algorithm>
#include <array>
#include <exception>

#include "api/error_body.h"
#include "api/members.h"
#include "base/limited_log.h"
#include "kms/arn.h"

namespace keyhold::api {
namespace {

constexpr std::string_view kTargetPrefix = "TrentService.";
constexpr std::string_view kCiphertextMember = "CiphertextBlob";

/// The operation's name in an X-Amz-Target; empty if it is another service's.
std::string_view operation_name(std::string_view target) {
  if (!target.starts_with(kTargetPrefix)) return {};
  return target.substr(kTargetPrefix.size());
}

/// A dry run that asks about permissions alone.
bool ignores_ciphertext(const Request& request) {
  return request.flag("DryRun") &&
         std::ranges::count(request.list("DryRunModifiers"), "IGNORE_CIPHERTEXT") != 0;
}

Result<void> check_usage(const Operation& operation, const KeyUse& use, const kms::Key& key) {
  if (!use.usage || key.record().usage == *use.usage) return {};
  return Error(ErrorCode::kInvalidKeyUsage,
               key.arn() + " key usage is " + std::string(to_string(key.record().usage)) +
                   " which is not valid for " + std::string(operation.name) + ".");
}

Result<void> check_algorithm(const kms::Service& service, const KeyUse& use, const kms::Key& key,
                             const Request& request) {
  if (use.specs == Specs::kSymmetric && key.record().spec != KeySpec::kSymmetricDefault) {
    return Error(ErrorCode::kInvalidKeyUsage,
                 "You cannot generate a data key with an asymmetric CMK");
  }
  if (use.algorithm_member.empty()) return {};
  const std::string* algorithm = request.text(use.algorithm_member);
  if (algorithm == nullptr) return {};
  return service.check_algorithm(key, parse_word<Algorithm>(*algorithm).value());
}

bool names_asymmetric_algorithm(const KeyUse& use, const Request& request) {
  const std::string* algorithm = request.text(use.algorithm_member);
  return algorithm != nullptr && *algorithm != kSymmetricDefault;
}

/// Whether the request's ciphertext is no blob of ours but the bare block of an asymmetric key,
/// which must be named since nothing in the block tells it.
bool is_bare_ciphertext(kms::Service& service, const kms::Scope& scope, const KeyUse& use,
                        const Request& request) {
  const std::string* identifier = request.text(use.member);
  if (identifier == nullptr || !names_asymmetric_algorithm(use, request)) return false;
  const auto named = service.find_key(scope, *identifier, use.lookup);
  return named && (*named)->record().spec != KeySpec::kSymmetricDefault;
}

/// What a call changed is told to CloudTrail even where its caller is not answered it.
void add_key_id(const Operation& operation, CallRecord& record) {
  if (operation.keys.size() == 0 || record.resources.empty() ||
      record.response_elements.find("\"keyId\":") != std::string::npos) {
    return;
  }
  const auto key = std::find_if(record.resources.rbegin(), record.resources.rend(),
                                [](const Resource& one) { return one.type == "AWS::KMS::Key"; });
  if (key == record.resources.rend()) return;
  json::Writer arn;
  arn.string(key->arn);
  std::string& elements = record.response_elements;
  if (elements == "null") {
    elements = "{";
  } else {
    elements.back() = ',';
  }
  elements.append("\"keyId\":").append(arn.text()).append("}");
}

/// Calls `check` for each key that the request names, with its use; the first error ends it.
template <typename Check>
Result<void> for_each_key(const Operation& operation, const Context& context, Check check) {
  for (std::size_t i = 0; i < operation.keys.size(); ++i) {
    const kms::Key* key = context.find_key(i);
    if (key != nullptr) TRY(check(operation.keys[i], *key));
  }
  return {};
}

/// What a refusal says the caller may not do.
std::string_view action_of(const Operation& operation, const KeyUse& use) {
  if (!use.action.empty()) return use.action;
  return operation.account_action.empty() ? "kms:RetireGrant" : operation.account_action;
}

/// The log's share of a token or store that fails every call; metrics and audit count them all.
constexpr int kFaultLines = 20;

void log_fault(const Call& call, std::string_view operation, const Error& error) {
  std::string line = "request " + std::string(call.request_id) + ": ";
  line.append(operation).append(": ").append(error_row(error.code()).wire_name);
  line.append(": ").append(error.message());
  if (!error.detail().empty()) line.append(" (").append(error.detail()).append(")");
  static log::LimitedLines faults(kFaultLines);
  faults.error(line);
}

/// Where an operation's page does not know KeyUnavailableException, its callers do not either;
/// KMSInternalException stands on every page.
ErrorCode unavailable(const Operation& operation) {
  const bool known = std::ranges::count(operation.errors, ErrorCode::kKeyUnavailable) != 0;
  return known ? ErrorCode::kKeyUnavailable : ErrorCode::kKmsInternal;
}

}  // namespace

Weight Dispatcher::weight(std::string_view target) {
  const Operation* operation = find_operation(operation_name(target));
  return operation == nullptr ? Weight::kLight : operation->weight;
}

ErrorCode Dispatcher::code_of_unavailable(std::string_view target) {
  const Operation* operation = find_operation(operation_name(target));
  return operation == nullptr ? ErrorCode::kKeyUnavailable : unavailable(*operation);
}

Answer Dispatcher::handle(const Call& call) {
  Answer answer;
  const std::string_view name = operation_name(call.target);
  Result<Secret> body = [&]() -> Result<Secret> {
    if (const Operation* operation = find_operation(name)) {
      answer.record.operation = operation->name;
      answer.record.effect = operation->effect;
      try {
        auto served = serve(call, *operation, answer.record);
        if (!served && served.error().code() == ErrorCode::kKeyUnavailable) {
          return Error(unavailable(*operation), served.error().message(), served.error().detail());
        }
        return served;
      } catch (const std::exception& exception) {
        return Error(ErrorCode::kKmsInternal, {}, exception.what());
      }
    }
    const auto missing = std::ranges::find(missing_operations(), name, &MissingOperation::name);
    if (missing == missing_operations().end()) return Error(ErrorCode::kUnknownOperation);
    answer.record.operation = missing->name;
    answer.record.effect = missing->effect;
    return Error(ErrorCode::kUnsupportedOperation,
                 "The operation " + std::string(missing->name) + " is not supported.");
  }();

  if (body) {
    answer.body = std::move(*body);
    return answer;
  }
  const Error& error = body.error();
  if (error_row(error.code()).blame == Blame::kService) log_fault(call, name, error);
  answer.status = error_row(error.code()).http_status;
  answer.body = error_body(error);
  answer.record.error = error;
  return answer;
}

Result<Secret> Dispatcher::serve(const Call& call, const Operation& operation, CallRecord& record) {
  // Parse. An empty body is an empty object.
  std::array<std::uint8_t, 2> empty_object{'{', '}'};
  const auto text = call.body.empty() ? std::span<std::uint8_t>(empty_object) : call.body;
  TRY_ASSIGN(const json::Document document, json::Document::parse(text));

  // Validate the shape, then what only the operation knows, then refuse what is not implemented.
  TRY_ASSIGN(const std::unique_ptr<Request> request, operation.handler.read(document.root()));
  record.request_parameters = request->audit_form();

  Context context(service_, call.requester, operation, *request, record);
  TRY(resolve(operation, *request, call, context));
  auto answer = decide_and_run(call, operation, *request, context, record);
  record.additional_event_data = context.additional_event_data();
  return answer;
}

// What a caller can see of the order: each step's error hides those of the steps after it. AWS's
// order as far as it is known: model constraints before any look-up, look-up before usage, usage
// before state, state before algorithm, and a dry run's verdict last.
Result<Secret> Dispatcher::decide_and_run(const Call& call, const Operation& operation,
                                          const Request& request, Context& context,
                                          CallRecord& record) {
  // Authorize, and tell whether a ciphertext is from the key that was named.
  TRY(authorize(operation, request, context));
  if (context.ciphertext_ && context.ciphertext().key_id != context.key().id()) {
    return Error(ErrorCode::kIncorrectKey,
                 "The key ID in the request does not identify a CMK that can perform this "
                 "operation.");
  }
  TRY(operation.handler.check_after_lookup(request));

  // Origin, usage, state, algorithm.
  TRY(for_each_key(operation, context, [&](const KeyUse& use, const kms::Key& key) {
    return use.origin ? kms::check_origin(*use.origin, key) : Result<void>();
  }));
  TRY(for_each_key(operation, context, [&](const KeyUse& use, const kms::Key& key) {
    return check_usage(operation, use, key);
  }));
  TRY(for_each_key(operation, context, [&](const KeyUse& use, const kms::Key& key) {
    return kms::check_state(use.state, key);
  }));
  TRY(for_each_key(operation, context, [&](const KeyUse& use, const kms::Key& key) {
    return check_algorithm(service_, use, key, request);
  }));
  TRY(operation.handler.check_with_keys(context, request));

  // Dry run, or the work.
  const bool is_dry_run = operation.dry_run != DryRun::kNone && request.flag("DryRun");
  if (is_dry_run && (operation.dry_run == DryRun::kBeforeHandler || ignores_ciphertext(request))) {
    return dry_run_verdict();
  }
  TRY_ASSIGN(Rendered rendered, operation.handler.run(context, request));
  if (is_dry_run) return dry_run_verdict();

  note_usage(operation, call, context);
  if (operation.effect == Effect::kWrite) {
    record.response_elements = std::move(rendered.response_elements);
    add_key_id(operation, record);
  }
  return std::move(rendered.body);
}

Result<void> Dispatcher::resolve(const Operation& operation, const Request& request,
                                 const Call& call, Context& context) const {
  for (std::size_t i = 0; i < operation.keys.size(); ++i) {
    const KeyUse& use = operation.keys[i];
    const std::string* identifier = request.text(use.member);
    if (use.naming == Naming::kCiphertext && !ignores_ciphertext(request) &&
        !is_bare_ciphertext(service_, context.scope(), use, request)) {
      const Bytes* blob = request.blob(kCiphertextMember);
      context.ciphertext_ = kms::parse_ciphertext_blob(*blob);
      if (!context.ciphertext_) {
        // The block of an asymmetric key does not say of which.
        if (identifier == nullptr && names_asymmetric_algorithm(use, request)) {
          return Error(ErrorCode::kValidation, std::string(use.member) + " is required with " +
                                                   std::string(use.algorithm_member) + " " +
                                                   *request.text(use.algorithm_member) + ".");
        }
        return Error(ErrorCode::kInvalidCiphertext);
      }
      if (identifier == nullptr) {
        context.keys_.at(i) = service_.find_key_by_id(context.scope(), context.ciphertext_->key_id);
        if (context.keys_.at(i) == nullptr) return kms::ciphertext_access_denied();
      }
    }
    if (identifier != nullptr) {
      auto found = service_.find_key(context.scope(), *identifier, use.lookup);
      const bool foreign = found ? (*found)->record().account != context.scope().account
                                 : found.error().code() == ErrorCode::kAccessDenied;
      if (foreign && (!found || !works_across_accounts(use))) {
        return kms::foreign_resource_access_denied(call.requester.principal_arn,
                                                   action_of(operation, use));
      }
      if (!found) return found.error();
      context.keys_.at(i) = std::move(*found);
    }
    if (const kms::Key* key = context.find_key(i)) context.note_key(*key);
  }
  return {};
}

Result<void> Dispatcher::authorize(const Operation& operation, const Request& request,
                                   Context& context) const {
  TRY(service_.check_grant_tokens(request.list("GrantTokens")));
  if (!operation.account_action.empty()) {
    const std::string* alias = request.text("AliasName");
    const kms::Scope& scope = context.scope();
    TRY(context.check_account_access(
        operation.account_action,
        alias == nullptr ? "*" : kms::alias_arn(scope.region, scope.account, *alias)));
  }
  for (std::size_t i = 0; i < operation.keys.size(); ++i) {
    const KeyUse& use = operation.keys[i];
    if (use.action.empty() || context.find_key(i) == nullptr) continue;
    auto verdict = context.check_key_access(i);
    // Who named no key is not told which one the ciphertext is of.
    const bool named = request.text(use.member) != nullptr;
    if (!verdict && !named && verdict.error().code() == ErrorCode::kAccessDenied) {
      return kms::ciphertext_access_denied();
    }
    if (!verdict) return verdict.error();
  }
  return {};
}

void Dispatcher::note_usage(const Operation& operation, const Call& call,
                            const Context& context) const {
  if (std::ranges::count(kTrackedOperationWords, operation.name) == 0) return;
  for (std::size_t i = 0; i < operation.keys.size(); ++i) {
    if (const kms::Key* key = context.find_key(i)) {
      service_.note_usage(*key, operation.name, call.event_id, call.request_id);
    }
  }
}

}  // namespace keyhold::api
