#include "api/operation.h"

#include <algorithm>

namespace keyhold::api {
namespace {

constexpr auto kOperations = std::to_array<const Operation*>({
#define KEYHOLD_OPERATION(name) &rows::k##name,
#include "api/operations.def"
#undef KEYHOLD_OPERATION
});

constexpr auto kMissing = std::to_array<MissingOperation>({
    {"ConnectCustomKeyStore", Effect::kWrite},
    {"CreateCustomKeyStore", Effect::kWrite},
    {"DeleteCustomKeyStore", Effect::kWrite},
    {"DisconnectCustomKeyStore", Effect::kWrite},
    {"ReplicateKey", Effect::kWrite},
    {"UpdateCustomKeyStore", Effect::kWrite},
    {"UpdatePrimaryRegion", Effect::kWrite},
});

}  // namespace

Error dry_run_verdict() {
  return Error(ErrorCode::kDryRunOperation,
               "The request would have succeeded, but the DryRun option is set.");
}

std::span<const Operation* const> operations() { return kOperations; }

const Operation* find_operation(std::string_view name) {
  const auto at = std::ranges::find(kOperations, name, &Operation::name);
  return at == kOperations.end() ? nullptr : *at;
}

std::span<const MissingOperation> missing_operations() { return kMissing; }

}  // namespace keyhold::api
