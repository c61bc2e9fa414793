#include "app/administrator.h"

namespace keyhold::app {
namespace {

constexpr std::string_view kPolicyName = "AdministratorAccess";
constexpr std::string_view kPolicy =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]})";

}  // namespace

Result<iam::IdentityDefinition> administrator_definition(std::string_view principal,
                                                         std::string_view account) {
  TRY_ASSIGN(const auto user, iam::parse_identity(principal, account));
  iam::IdentityDefinition definition;
  definition.account = account;
  definition.path = user.path;
  definition.name = user.name;
  definition.policies = {{std::string(kPolicyName), std::string(kPolicy)}};
  return definition;
}

}  // namespace keyhold::app
