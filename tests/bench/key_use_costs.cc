#include "key_use_costs.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/base64.h"
#include "comparison.h"
#include "key_use.h"

namespace keyhold::bench {
namespace {

constexpr std::size_t kConnections = 8;

struct TokenCost {
  double rate = 0;
  double cpu_us = 0;
};

std::map<std::string, TokenCost> token_costs(const Programs& programs,
                                             std::chrono::milliseconds time) {
  const ScratchFolder folder;
  const std::string command = programs.bare_token.string() + " " + folder.path().string() +
                              " keys " + std::to_string(time.count()) + " 2>/dev/null";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string said;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) said += line.data();
  if (::pclose(pipe) != 0) throw std::runtime_error(command + " failed");
  std::istringstream in(said);
  std::map<std::string, TokenCost> costs;
  std::string name;
  for (TokenCost cost; in >> name >> cost.rate >> cost.cpu_us;) costs[name] = cost;
  return costs;
}

std::string quoted(std::string_view name, std::string_view value) {
  return "\"" + std::string(name) + "\":\"" + std::string(value) + "\"";
}

std::string create_key(const Service& service, KeySpec spec, KeyUsage usage) {
  return member(service.call("CreateKey", "{" + quoted("KeySpec", to_string(spec)) + "," +
                                              quoted("KeyUsage", to_string(usage)) + "}"),
                "KeyId");
}

/// The body of a request for a use, on a key of its own.
std::string body_of(const Service& service, const KeyUse& use) {
  const std::string named = "{" + quoted("KeyId", create_key(service, use.spec, use.usage)) + ",";
  const std::string message = quoted("Message", to_base64(as_bytes(kMessage))) + ",";
  const std::string_view algorithm = to_string(use.algorithm);
  const std::string signing = quoted("SigningAlgorithm", algorithm);
  const std::string mac = quoted("MacAlgorithm", algorithm);
  const std::string_view operation = use.operation;
  if (operation == "Sign") return named + message + signing + "}";
  if (operation == "GenerateMac") return named + message + mac + "}";
  if (operation == "Verify") {
    const std::string signature =
        member(service.call("Sign", named + message + signing + "}"), "Signature");
    return named + message + quoted("Signature", signature) + "," + signing + "}";
  }
  if (operation == "VerifyMac") {
    const std::string code =
        member(service.call("GenerateMac", named + message + mac + "}"), "Mac");
    return named + message + quoted("Mac", code) + "," + mac + "}";
  }
  if (operation == "DeriveSharedSecret") {
    const std::string peer = create_key(service, use.spec, use.usage);
    const std::string shown = service.call("GetPublicKey", "{" + quoted("KeyId", peer) + "}");
    return named + quoted("PublicKey", member(shown, "PublicKey")) + "," +
           quoted("KeyAgreementAlgorithm", algorithm) + "}";
  }
  const std::string encryption = quoted("EncryptionAlgorithm", algorithm) + "}";
  const std::string plaintext = quoted("Plaintext", to_base64(as_bytes(kMessage))) + ",";
  const std::string ciphertext =
      member(service.call("Encrypt", named + plaintext + encryption), "CiphertextBlob");
  return named + quoted("CiphertextBlob", ciphertext) + "," + encryption;
}

LoadPlan plan_of(const Service& service, std::string request, std::size_t connections,
                 std::chrono::milliseconds time) {
  LoadPlan plan;
  plan.port = service.port();
  plan.connections = connections;
  plan.threads = 2;
  plan.time = time;
  plan.requests = {std::move(request)};
  return plan;
}

/// Makes RSA_4096 keys until it ends, the one that it is at included.
class Generation {
 public:
  explicit Generation(const Service& service)
      : thread_([this, &service] {
          try {
            while (!done_) {
              create_key(service, KeySpec::kRsa4096, KeyUsage::kSignVerify);
              if (!done_) ++made_;
            }
          } catch (const std::exception& error) {
            std::fprintf(stderr, "generation: %s\n", error.what());
          }
        }) {}
  ~Generation() {
    done_ = true;
    thread_.join();
  }
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;
  std::size_t made() const { return made_; }

 private:
  std::atomic<bool> done_{false};
  std::atomic<std::size_t> made_{0};
  std::thread thread_;  // last: it uses the others
};

}  // namespace

std::vector<KeyUseCost> measure_key_uses(const Programs& programs, std::chrono::milliseconds time,
                                         const std::vector<std::string>& settings) {
  const auto token = token_costs(programs, time);
  const Service service(programs, Transport::kPlain, settings);
  std::vector<KeyUseCost> costs;
  for (const KeyUse& use : kKeyUses) {
    const std::string request = service.request(use.operation, body_of(service, use));
    KeyUseCost cost;
    cost.name = use.name();
    const TokenCost& beside = token.at(cost.name);
    cost.token_rate = beside.rate;
    cost.token_us = beside.cpu_us;
    cost.keyhold = measure(service.process(), plan_of(service, request, kConnections, time));
    costs.push_back(cost);
  }
  return costs;
}

std::vector<BesideGeneration> measure_beside_generation(const Programs& programs,
                                                        std::chrono::milliseconds time,
                                                        const std::vector<std::string>& settings) {
  const Service service(programs, Transport::kPlain, settings);
  std::vector<BesideGeneration> measured;
  for (const std::size_t connections : {std::size_t{1}, kConnections}) {
    const LoadPlan plan = plan_of(service, service.request("Encrypt"), connections, time);
    BesideGeneration each;
    each.connections = connections;
    each.alone = measure(service.process(), plan);
    const Generation generation(service);
    each.beside = measure(service.process(), plan);
    each.keys_made = generation.made();
    measured.push_back(each);
  }
  return measured;
}

}  // namespace keyhold::bench
