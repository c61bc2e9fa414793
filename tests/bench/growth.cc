#include "growth.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "comparison.h"

namespace keyhold::bench {
namespace {

constexpr double kMegabyte = 1024.0 * 1024.0;
constexpr std::size_t kWorkingSet = 1000;
constexpr std::chrono::milliseconds kLongestWarming{20'000};
constexpr std::size_t kAliasesPerKey = 50;
constexpr int kRotationPeriodDays = 90;

/// Milliseconds for each of `count` calls of `make`.
template <typename Make>
double time_each(std::size_t count, Make make) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < count; ++i) make(i);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  return count == 0 ? 0 : took.count() / static_cast<double>(count);
}

Measurement use_all(const Service& service, std::vector<std::string> requests,
                    std::chrono::milliseconds time) {
  LoadPlan plan;
  plan.port = service.port();
  plan.connections = 8;
  plan.threads = 2;
  plan.requests = std::move(requests);
  // Each once, so that what is kept from the first use on is there. Then the measurement.
  plan.time = std::min(kLongestWarming,
                       std::chrono::milliseconds(200 + 2 * static_cast<int>(plan.requests.size())));
  run_load(plan);
  plan.time = time;
  return measure(service.process(), plan);
}

void add_start_and_memory(Service& service, Grown& grown,
                          const std::vector<std::string>& settings) {
  grown.memory_mb = static_cast<double>(service.process().resident_bytes()) / kMegabyte;
  service.restart(settings);
  grown.start_seconds = service.process().start_seconds();
}

Grown with_keys(const Programs& programs, std::size_t count, std::chrono::milliseconds time) {
  Service service(programs, Transport::kPlain);
  Grown grown;
  grown.what = std::to_string(count) + " keys";
  std::vector<std::string> bodies;
  grown.make_ms = time_each(
      count, [&](std::size_t) { bodies.push_back(service.body("Encrypt", service.create_key())); });
  std::vector<std::string> requests;
  for (const std::string& body : bodies) requests.push_back(service.request("Encrypt", body));
  grown.used = use_all(service, std::move(requests), time);
  add_start_and_memory(service, grown, {});
  return grown;
}

/// With many more than are held unwrapped, two questions: what a working set of them costs, and
/// what it costs to come by one that nobody used lately.
std::vector<Grown> with_wrapped_keys(const Programs& programs, std::size_t count,
                                     std::chrono::milliseconds time) {
  const std::vector<std::string> settings = {"profile.keys.custody=wrapped"};
  Service service(programs, Transport::kPlain, settings);
  Grown in_use;
  std::vector<std::string> requests;
  in_use.make_ms = time_each(count, [&](std::size_t) {
    requests.push_back(service.request("Encrypt", service.body("Encrypt", service.create_key())));
  });
  // The requests are signed for this start's port.
  const double made_mb = static_cast<double>(service.process().resident_bytes()) / kMegabyte;
  const std::size_t working_set = std::min(count, kWorkingSet);
  in_use.used = use_all(
      service, {requests.begin(), requests.begin() + static_cast<std::ptrdiff_t>(working_set)},
      time);
  in_use.what = std::to_string(count) + " wrapped keys, " + std::to_string(working_set) +
                " of them used (" + std::to_string(std::lround(made_mb)) + " MiB before)";
  in_use.memory_mb = static_cast<double>(service.process().resident_bytes()) / kMegabyte;
  Grown all = in_use;
  all.what = std::to_string(count) + " wrapped keys, all in turn";
  all.used = use_all(service, std::move(requests), time);
  add_start_and_memory(service, all, settings);
  in_use.start_seconds = all.start_seconds;
  return {in_use, all};
}

/// Each start with the clock moved on by a period makes one rotation.
Grown with_materials(const Programs& programs, std::size_t count, std::chrono::milliseconds time) {
  Service service(programs, Transport::kPlain);
  Grown grown;
  grown.what = std::to_string(count) + " key materials";
  const std::string key = service.create_key();
  const std::string named = R"({"KeyId":")" + key + "\"";
  service.call("EnableKeyRotation",
               named + R"(,"RotationPeriodInDays":)" + std::to_string(kRotationPeriodDays) + "}");
  std::vector<std::string> ciphertexts;
  std::vector<std::string> settings;
  const auto encrypt = [&] {
    ciphertexts.push_back(
        member(service.call("Encrypt", service.body("Encrypt", key)), "CiphertextBlob"));
  };
  const auto materials = [&] {
    const std::string listed = service.call(
        "ListKeyRotations", named + R"(,"IncludeKeyMaterial":"ALL_KEY_MATERIAL","Limit":1000})");
    std::size_t found = 0;
    for (std::size_t at = listed.find("\"KeyMaterialId\""); at != std::string::npos;
         at = listed.find("\"KeyMaterialId\"", at + 1)) {
      ++found;
    }
    return found;
  };
  encrypt();
  grown.make_ms = time_each(count - 1, [&](std::size_t i) {
    settings = {"dev.clock_offset=" + std::to_string((i + 1) * (kRotationPeriodDays + 1)) + "d"};
    service.restart(settings);
    for (int tries = 0; materials() < i + 2; ++tries) {
      if (tries > 3000) throw std::runtime_error("a key is not rotated");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    encrypt();
  });
  std::vector<std::string> requests;
  for (const std::string& ciphertext : ciphertexts) {
    const std::string body = service.body("Encrypt", key);
    requests.push_back(service.request("Decrypt", R"({"CiphertextBlob":")" + ciphertext + "\"," +
                                                      body.substr(body.find("\"Encryption"))));
  }
  grown.used = use_all(service, std::move(requests), time);
  add_start_and_memory(service, grown, settings);
  return grown;
}

Grown with_aliases(const Programs& programs, std::size_t count, std::chrono::milliseconds time) {
  Service service(programs, Transport::kPlain);
  Grown grown;
  grown.what = std::to_string(count) + " aliases";
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < (count + kAliasesPerKey - 1) / kAliasesPerKey; ++i) {
    keys.push_back(service.create_key());
  }
  std::vector<std::string> requests;
  grown.make_ms = time_each(count, [&](std::size_t i) {
    const std::string name = "alias/number-" + std::to_string(i);
    service.call("CreateAlias", R"({"AliasName":")" + name + R"(","TargetKeyId":")" +
                                    keys[i / kAliasesPerKey] + R"("})");
  });
  for (std::size_t i = 0; i < count; ++i) {
    requests.push_back(
        service.request("Encrypt", service.body("Encrypt", "alias/number-" + std::to_string(i))));
  }
  grown.used = use_all(service, std::move(requests), time);
  add_start_and_memory(service, grown, {});
  return grown;
}

/// Grants on the one key, none of them the caller's.
Grown with_grants(const Programs& programs, std::size_t count, std::chrono::milliseconds time) {
  Service service(programs, Transport::kPlain);
  Grown grown;
  grown.what = std::to_string(count) + " grants of others on a key";
  const std::string key = service.create_key();
  grown.make_ms = time_each(count, [&](std::size_t i) {
    service.call("CreateGrant",
                 R"({"KeyId":")" + key +
                     R"(","GranteePrincipal":"arn:aws:iam::111122223333:user/number-)" +
                     std::to_string(i) + R"(","Operations":["Encrypt","Decrypt"]})");
  });
  grown.used = use_all(service, {service.request("Encrypt", service.body("Encrypt", key))}, time);
  add_start_and_memory(service, grown, {});
  return grown;
}

/// Statements in the key's policy, of which only the last one is about the caller.
Grown with_statements(const Programs& programs, std::size_t count, std::chrono::milliseconds time) {
  Service service(programs, Transport::kPlain);
  Grown grown;
  grown.what = std::to_string(count) + " statements in a key policy";
  const std::string key = service.create_key();
  std::string policy = R"({\"Version\":\"2012-10-17\",\"Statement\":[)";
  for (std::size_t i = 1; i < count; ++i) {
    policy +=
        R"({\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::111122223333:user/number-)" +
        std::to_string(i) +
        R"(\"},\"Action\":[\"kms:Encrypt\",\"kms:Decrypt\"],\"Resource\":\"*\"},)";
  }
  policy +=
      R"({\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\"}]})";
  grown.make_ms = time_each(1, [&](std::size_t) {
    service.call("PutKeyPolicy", R"({"KeyId":")" + key + R"(","Policy":")" + policy + R"("})");
  });
  grown.used = use_all(service, {service.request("Encrypt", service.body("Encrypt", key))}, time);
  add_start_and_memory(service, grown, {});
  return grown;
}

}  // namespace

std::vector<Grown> measure_growth(const Programs& programs, const GrowthPlan& plan) {
  std::vector<Grown> all;
  const auto add = [&](const auto& counts, auto measure_one) {
    for (const std::size_t count : counts) {
      all.push_back(measure_one(programs, count, plan.time));
      std::cerr << all.back().what << "\n";
    }
  };
  add(plan.keys, with_keys);
  for (const std::size_t count : plan.wrapped_keys) {
    for (Grown& grown : with_wrapped_keys(programs, count, plan.time)) {
      std::cerr << grown.what << "\n";
      all.push_back(std::move(grown));
    }
  }
  add(plan.materials, with_materials);
  add(plan.aliases, with_aliases);
  add(plan.grants, with_grants);
  add(plan.statements, with_statements);
  return all;
}

}  // namespace keyhold::bench
