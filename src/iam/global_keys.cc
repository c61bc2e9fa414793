#include "iam/global_keys.h"

#include <algorithm>
#include <array>

#include "iam/ascii.h"

namespace keyhold::iam {
namespace {

using Reader = ContextValue (*)(const Request& request, std::string_view tag_key);

ContextValue unless_empty(std::string_view text) {
  return text.empty() ? ContextValue::absent() : ContextValue::of(std::string(text));
}

ContextValue truth(std::string_view word) { return ContextValue::of(std::string(word)); }

ContextValue current_time(const Request& request, std::string_view) {
  return ContextValue::of(to_iso8601(request.environment.now));
}

ContextValue epoch_time(const Request& request, std::string_view) {
  const auto since = std::chrono::floor<std::chrono::seconds>(request.environment.now);
  return ContextValue::of(std::to_string(since.time_since_epoch().count()));
}

ContextValue token_issue_time(const Request& request, std::string_view) {
  const auto& issued_at = request.environment.token_issued_at;
  return issued_at ? ContextValue::of(to_iso8601(*issued_at)) : ContextValue::absent();
}

ContextValue principal_arn(const Request& request, std::string_view) {
  const Principal& principal = request.principal;
  return unless_empty(principal.role_arn.empty() ? principal.arn : principal.role_arn);
}

ContextValue principal_account(const Request& request, std::string_view) {
  return unless_empty(request.principal.account);
}

ContextValue principal_type(const Request& request, std::string_view) {
  switch (request.principal.type) {
    case PrincipalType::kRoot:
      return ContextValue::of(std::string("Account"));
    case PrincipalType::kUser:
      return ContextValue::of(std::string("User"));
    case PrincipalType::kAssumedRole:
      return ContextValue::of(std::string("AssumedRole"));
    case PrincipalType::kWebIdentity:
    case PrincipalType::kRole:
    case PrincipalType::kGroup:
      break;
  }
  return ContextValue::absent();
}

ContextValue principal_tag(const Request& request, std::string_view tag_key) {
  const std::span<const Tag> own = request.principal.tags;
  for (const auto& tags : {own, request.identity_tags}) {
    for (const Tag& tag : tags) {
      if (to_lower(tag.key) == tag_key) return ContextValue::of(tag.value);
    }
  }
  return ContextValue::absent();
}

ContextValue federated_provider(const Request& request, std::string_view) {
  return unless_empty(request.principal.provider);
}

ContextValue user_id(const Request& request, std::string_view) {
  return unless_empty(request.principal.id);
}

// Only users have one; a session has its role's name nowhere but in its ARN.
ContextValue user_name(const Request& request, std::string_view) {
  if (request.principal.type != PrincipalType::kUser) return ContextValue::absent();
  return ContextValue::of(request.principal.name);
}

ContextValue requested_region(const Request& request, std::string_view) {
  return unless_empty(request.environment.region);
}

ContextValue secure_transport(const Request& request, std::string_view) {
  return truth(request.environment.transport == Transport::kTls ? "true" : "false");
}

ContextValue source_ip(const Request& request, std::string_view) {
  return unless_empty(request.environment.source_ip);
}

ContextValue user_agent(const Request& request, std::string_view) {
  return unless_empty(request.environment.user_agent);
}

ContextValue resource_account(const Request& request, std::string_view) {
  return unless_empty(request.resource_account);
}

// No AWS service calls here on behalf of anybody.
ContextValue never(const Request&, std::string_view) { return truth("false"); }
ContextValue absent(const Request&, std::string_view) { return ContextValue::absent(); }

struct GlobalKey {
  std::string_view name;  ///< in lower case; one that ends in `/` is followed by a tag's key
  Reader read;            ///< null: the service answers, it is about its resources or parameters
};

constexpr std::array kGlobalKeys = std::to_array<GlobalKey>({
    {"aws:calledvia", absent},
    {"aws:calledviafirst", absent},
    {"aws:calledvialast", absent},
    {"aws:currenttime", current_time},
    {"aws:epochtime", epoch_time},
    {"aws:federatedprovider", federated_provider},
    {"aws:multifactorauthage", absent},
    {"aws:multifactorauthpresent", absent},
    {"aws:principalaccount", principal_account},
    {"aws:principalarn", principal_arn},
    {"aws:principalisawsservice", never},
    {"aws:principalorgid", absent},
    {"aws:principalorgpaths", absent},
    {"aws:principalservicename", absent},
    {"aws:principalservicenameslist", absent},
    {"aws:principaltag/", principal_tag},
    {"aws:principaltype", principal_type},
    {"aws:referer", absent},
    {"aws:requestedregion", requested_region},
    {"aws:requesttag/", nullptr},
    {"aws:resourceaccount", resource_account},
    {"aws:resourceorgid", absent},
    {"aws:resourceorgpaths", absent},
    {"aws:resourcetag/", nullptr},
    {"aws:securetransport", secure_transport},
    {"aws:sourceaccount", absent},
    {"aws:sourcearn", absent},
    {"aws:sourceidentity", absent},
    {"aws:sourceip", source_ip},
    {"aws:sourcevpc", absent},
    {"aws:sourcevpce", absent},
    {"aws:tagkeys", nullptr},
    {"aws:tokenissuetime", token_issue_time},
    {"aws:useragent", user_agent},
    {"aws:userid", user_id},
    {"aws:username", user_name},
    {"aws:viaawsservice", never},
    {"aws:vpcsourceip", absent},
});

const GlobalKey* find_global_key(std::string_view name) {
  const std::size_t slash = name.find('/');
  const std::string_view known = slash == std::string_view::npos ? name : name.substr(0, slash + 1);
  if (known.size() == name.size() && slash != std::string_view::npos) return nullptr;  // no tag key
  const auto at = std::lower_bound(
      kGlobalKeys.begin(), kGlobalKeys.end(), known,
      [](const GlobalKey& key, std::string_view wanted) { return key.name < wanted; });
  return at != kGlobalKeys.end() && at->name == known ? at : nullptr;
}

constexpr bool in_order() {
  for (std::size_t i = 1; i < kGlobalKeys.size(); ++i) {
    if (!(kGlobalKeys[i - 1].name < kGlobalKeys[i].name)) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

bool is_global_key(std::string_view name) { return find_global_key(name) != nullptr; }

ContextValue find_key(const Request& request, std::string_view name, DocumentKind kind) {
  if (name.starts_with("aws:")) {
    const GlobalKey* key = find_global_key(name);
    if (key == nullptr) return {};
    if (key->read != nullptr) return key->read(request, name.substr(key->name.size()));
    // An action without tags has none of them, whether or not its service says so.
    if (request.service_keys == nullptr) return ContextValue::absent();
  }
  if (request.service_keys == nullptr) return {};
  return request.service_keys->find(name, kind);
}

}  // namespace keyhold::iam
