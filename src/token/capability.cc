#include "token/capability.h"

#include <algorithm>
#include <vector>

#include "base/wrapping_algorithm.h"

namespace keyhold::token {
namespace {

Error unsupported(std::string_view what, std::string_view word, const Capability& capability) {
  std::string sentence(what);
  sentence.append(" ").append(word).append(" is not supported: ").append(capability.lacks);
  return Error(ErrorCode::kUnsupportedOperation, sentence + ".", capability.said);
}

}  // namespace

void Capabilities::heed(const AdmissionReport& report) {
  for (const AdmissionAct& act : report.needed) {
    if (act.outcome == Outcome::kSucceeded) continue;
    set(KeySpec::kSymmetricDefault, Algorithm::kSymmetricDefault,
        {Place::kNowhere, "the token does not " + act.act, act.detail});
    return;
  }
}

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

std::optional<Capabilities::ImportRefusal> Capabilities::refuse_import(
    MaterialKind kind, WrappingAlgorithm algorithm) const {
  const std::string_view spec = to_string(kind.spec);
  const auto lacking = [](std::string_view what, std::string_view word, std::string lacks) {
    return ImportRefusal{what, word, {Place::kNowhere, std::move(lacks), {}}};
  };
  if (!proof(kind)) {
    return ImportRefusal{"KeySpec", spec,
                         of(kind.spec, algorithms_of(kind.spec, kind.usage).front())};
  }
  constexpr std::string_view kImport = "The import of key material of KeySpec";
  const KeyForm form = row_of(kind.spec).form;
  if (form == KeyForm::kEdwards || form == KeyForm::kMlDsa) {
    return lacking(kImport, spec, "no token tells the public key of what it unwrapped");
  }
  if (form == KeyForm::kAes && imports_.recognition == Recognition::kNone) {
    return lacking(kImport, spec,
                   "the token neither derives nor encrypts under a given IV, so that nothing tells "
                   "one material from another");
  }
  if (form == KeyForm::kRsa && imports_.rsa_keys.place == Place::kNowhere) {
    return ImportRefusal{kImport, spec, imports_.rsa_keys};
  }
  if (form == KeyForm::kEllipticCurve && imports_.curve_keys.place == Place::kNowhere) {
    return ImportRefusal{kImport, spec, imports_.curve_keys};
  }
  constexpr std::string_view kWrapping = "WrappingAlgorithm";
  const std::string_view word = to_string(algorithm);
  const WrappingAlgorithmRow& row = row_of(algorithm);
  const Capability& padding = imports_.padding(row.padding);
  if (padding.place == Place::kNowhere) return ImportRefusal{kWrapping, word, padding};
  // What the service has touched goes back into the token wrapped, so that it needs this too.
  const bool unwraps = row.envelope == Envelope::kAesKey || padding.place == Place::kHost;
  if (unwraps && !imports_.key_unwrapping) {
    return lacking(kWrapping, word, "the token has no AES key unwrapping by RFC 5649");
  }
  if (!is_pair(kind.spec) && imports_.lengths == LengthEvidence::kNone) {
    return lacking(kWrapping, word, "the token does not tell how long a key is");
  }
  return std::nullopt;
}

Result<void> Capabilities::check_import(MaterialKind kind, WrappingAlgorithm algorithm) const {
  const auto refusal = refuse_import(kind, algorithm);
  if (refusal) return unsupported(refusal->what, refusal->word, refusal->seen);
  return {};
}

Capability Capabilities::import(MaterialKind kind, WrappingAlgorithm algorithm) const {
  if (const auto refusal = refuse_import(kind, algorithm)) return refusal->seen;
  return {imports_.padding(row_of(algorithm).padding).place, {}, {}};
}

std::string Capabilities::print() const {
  const auto print_place = [](const Capability& seen) {
    return seen.place == Place::kToken  ? std::string("in the token")
           : seen.place == Place::kHost ? std::string("padding removed in the service")
                                        : "no, " + seen.lacks;
  };
  std::string out;
  for (const KeySpecRow& row : key_spec_rows()) {
    for (const Algorithm algorithm : row.algorithms) {
      const Capability& seen = of(row.spec, algorithm);
      out.append(to_string(row.spec)).append(" ").append(to_string(algorithm)).append(": ");
      out.append(print_place(seen)).append("\n");
    }
  }
  out.append("import under RSAES_OAEP_SHA_1: ").append(print_place(imports_.sha1));
  out.append("\nimport under RSAES_OAEP_SHA_256: ").append(print_place(imports_.sha256));
  out.append("\nAES key unwrapping by RFC 5649: ");
  out.append(imports_.key_unwrapping ? "in the token" : "no").append("\n");
  return out;
}

}  // namespace keyhold::token
