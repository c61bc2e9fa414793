#include "token/capability.h"

#include <algorithm>
#include <vector>

namespace keyhold::token {
namespace {

Error unsupported(std::string_view what, std::string_view word, const Capability& capability) {
  std::string sentence(what);
  sentence.append(" ").append(word).append(" is not supported: ").append(capability.lacks);
  return Error(ErrorCode::kUnsupportedOperation, sentence + ".", capability.said);
}

}  // namespace

Place Capabilities::of(MaterialKind kind, Custody custody, Algorithm algorithm) const {
  const Place seen = of(kind.spec, algorithm).place;
  return seen == Place::kHost && custody != Custody::kHostStaged ? Place::kNowhere : seen;
}

Custody Capabilities::custody(MaterialKind kind) const {
  const auto algorithms = algorithms_of(kind.spec, kind.usage);
  const bool staged = std::ranges::any_of(algorithms, [&](const Algorithm algorithm) {
    return of(kind.spec, algorithm).place == Place::kHost;
  });
  return staged ? Custody::kHostStaged : Custody::kResident;
}

std::optional<Algorithm> Capabilities::proof(MaterialKind kind) const {
  for (const Algorithm algorithm : algorithms_of(kind.spec, kind.usage)) {
    if (of(kind.spec, algorithm).place == Place::kToken) return algorithm;
  }
  return std::nullopt;
}

Result<void> Capabilities::check_kind(MaterialKind kind) const {
  if (proof(kind)) return {};
  const Algorithm first = algorithms_of(kind.spec, kind.usage).front();
  return unsupported("KeySpec", to_string(kind.spec), of(kind.spec, first));
}

Result<void> Capabilities::check_algorithm(MaterialKind kind, Custody custody,
                                           Algorithm algorithm) const {
  if (of(kind, custody, algorithm) != Place::kNowhere) return {};
  const Capability& seen = of(kind.spec, algorithm);
  if (seen.place == Place::kHost) {
    return unsupported("Algorithm", to_string(algorithm),
                       {Place::kNowhere, "the key was made to be used in the token alone", {}});
  }
  return unsupported("Algorithm", to_string(algorithm), seen);
}

std::string Capabilities::print() const {
  std::string out;
  for (const KeySpecRow& row : key_spec_rows()) {
    for (const Algorithm algorithm : row.algorithms) {
      const Capability& seen = of(row.spec, algorithm);
      out.append(to_string(row.spec)).append(" ").append(to_string(algorithm)).append(": ");
      out.append(seen.place == Place::kToken  ? "in the token"
                 : seen.place == Place::kHost ? "padding removed in the service"
                                              : "no, " + seen.lacks);
      out.append("\n");
    }
  }
  return out;
}

}  // namespace keyhold::token
