// What one decision about a call costs, on one thread with nothing around it: with more statements
// in the key's policy, and with more grants on the key. Prints lines of name and CPU microseconds a
// decision, a tab between them.
//
//   keyhold-decisions [DECISIONS]
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>

#include "iam/principal.h"
#include "kms/authorizer.h"
#include "tests/kms/keys.h"

namespace keyhold::bench {
namespace {

using namespace kms::testing;

constexpr std::string_view kCaller = "arn:aws:iam::111122223333:user/caller";

double cpu_seconds() {
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// An Encrypt with an encryption context.
class Parameters final : public kms::NoParameters {
 public:
  const kms::EncryptionContext* context(std::string_view member) const override {
    return member == "EncryptionContext" ? &context_ : nullptr;
  }

 private:
  const kms::EncryptionContext context_ = *kms::EncryptionContext::from_pairs({{"team", "blue"}});
};

/// `count` statements, of which the last one lets the caller in. Those before are for others, under
/// a condition that holds for the call.
std::string policy_of(std::size_t count) {
  std::string text = R"({"Version":"2012-10-17","Statement":[)";
  for (std::size_t i = 1; i < count; ++i) {
    text += R"({"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/number-)" +
            std::to_string(i) +
            R"("},"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*","Condition":)"
            R"({"StringEquals":{"kms:EncryptionContext:team":"blue"}}},)";
  }
  text += R"({"Effect":"Allow","Principal":{"AWS":")" + std::string(kCaller) +
          R"("},"Action":"kms:*","Resource":"*","Condition":)"
          R"({"StringEquals":{"kms:EncryptionContext:team":"blue"}}}]})";
  return text;
}

void measure(const std::string& name, const kms::Key& key, const kms::GrantDirectory& grants,
             int decisions) {
  const kms::AliasDirectory aliases;
  const kms::Authorizer authorizer(grants, aliases);
  const Parameters parameters;
  const kms::CallFacts facts{.parameters = parameters, .operation = "Encrypt", .key = &key};
  iam::Actor actor;
  actor.principal = *iam::parse_principal("user/caller", kAccount);
  const iam::Environment environment{kStart,  "127.0.0.1",          iam::Transport::kTls,
                                     "bench", std::string(kRegion), std::nullopt};
  const kms::AccessRequest request{.actor = actor,
                                   .environment = environment,
                                   .action = "kms:Encrypt",
                                   .grant_operation = GrantOperation::kEncrypt,
                                   .facts = facts};
  double start = 0;
  for (int i = -decisions / 10; i < decisions; ++i) {
    if (i == 0) start = cpu_seconds();
    if (!authorizer.decide(request).allowed()) std::abort();  // it would be another measurement
  }
  std::cout << name << "\t" << (cpu_seconds() - start) / decisions * 1e6 << "\n";
}

void measure_statements(std::size_t count, int decisions) {
  store::KeyRecord record = a_key_record();
  record.policy = policy_of(count);
  measure(std::to_string(count) + (count == 1 ? " statement" : " statements"), a_key(record), {},
          decisions);
}

void measure_grants(std::size_t count, int decisions) {
  const kms::Key key = a_key(a_key_record());
  std::vector<kms::GrantPtr> all;
  for (std::size_t i = 0; i < count; ++i) {
    store::GrantRecord grant;
    grant.grant_id = draw_name().hex();
    grant.key_id = key.id();
    grant.grantee = i == 0 ? std::string(kCaller)
                           : "arn:aws:iam::111122223333:user/number-" + std::to_string(i);
    grant.operations = {GrantOperation::kEncrypt};
    grant.context_constraint = store::ContextConstraint::kSubset;
    grant.context = {{"team", "blue"}};
    all.push_back(std::make_shared<const store::GrantRecord>(std::move(grant)));
  }
  kms::GrantDirectory grants;
  grants.load(all);
  measure(std::to_string(count) + (count == 1 ? " grant" : " grants, one of them the caller's"),
          key, grants, decisions);
}

}  // namespace
}  // namespace keyhold::bench

int main(int argc, char** argv) {
  const int decisions = argc > 1 ? std::atoi(argv[1]) : 100'000;
  for (const std::size_t count : {1, 10, 100}) {
    keyhold::bench::measure_statements(count, decisions);
  }
  for (const std::size_t count : {1, 100, 10'000}) {
    keyhold::bench::measure_grants(count, decisions);
  }
}
