// Policy documents of every kind, read and evaluated: nothing crashes, and what is allowed is
// allowed by a statement with Allow in a document that was given.
//
// Input: the first byte picks the kind, the rest is the document.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "iam/evaluation.h"

namespace {

using namespace keyhold;

class Keys final : public iam::ContextKeys {
 public:
  iam::ContextValue find(std::string_view name, iam::DocumentKind) const override {
    if (name.find("many") != std::string_view::npos) {
      return iam::ContextValue::of(std::vector<std::string>{"a", "b", "arn:aws:a:b:c:d"});
    }
    if (name.find("none") != std::string_view::npos) return iam::ContextValue::absent();
    return iam::ContextValue::of(std::string("203.0.113.7"));
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto kind = static_cast<iam::DocumentKind>(data[0] % 5);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto parsed = iam::PolicyDocument::parse(text, kind, "fuzzed");
  if (!parsed) return 0;
  const auto document = std::make_shared<const iam::PolicyDocument>(std::move(*parsed));

  static const iam::Principal principal = *iam::parse_principal("user/alice", "111122223333");
  const iam::Environment environment{TimePoint(std::chrono::seconds(1'700'000'000)),
                                     "203.0.113.7",
                                     iam::Transport::kTls,
                                     "fuzzer",
                                     "us-east-1",
                                     {}};
  const Keys keys;
  const iam::Request request{
      principal,      "kms:Encrypt", "arn:aws:kms:us-east-1:111122223333:key/1",
      "111122223333", environment,   &keys};
  iam::PolicySet set;
  if (iam::rules_of(kind).principal == iam::Presence::kRequired) {
    set.resource = document.get();
  } else {
    set.identity = std::span(&document, 1);
  }
  const iam::Decision decision = iam::evaluate(set, request);
  const bool by_allow =
      decision.statement != nullptr && decision.statement->effect == iam::PolicyEffect::kAllow;
  if (decision.allowed() != (decision.verdict == iam::Verdict::kAllow && by_allow)) std::abort();
  if (!decision.allowed() && iam::denial_reason(decision, "kms:Encrypt").empty()) std::abort();
  return 0;
}
