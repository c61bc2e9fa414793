// Keyhold beside the bare HTTP server, interleaved, under the same load.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "load.h"
#include "measurement.h"
#include "process.h"
#include "signed_request.h"

namespace keyhold::bench {
namespace {

const AccessKey kCaller{"AKIDBENCH00000000000", "bench-secret-access-key-of-no-value"};
constexpr std::string_view kContext =
    R"("EncryptionContext":{"tenant":"0000000042","purpose":"column-encryption",)"
    R"("table":"customers","stage":"production"})";

struct Options {
  std::filesystem::path programs;  ///< the build's tests/bench
  std::filesystem::path keyhold;
  int rounds = 7;
  int milliseconds = 2000;
  std::vector<std::size_t> connections = {1, 8, 64, 256};
  std::vector<std::string> operations = {"Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey"};
  std::vector<std::string> settings;
};

/// The string member of that name in a flat JSON answer.
std::string member(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":\"";
  const std::size_t at = json.find(key);
  if (at == std::string::npos) throw std::runtime_error("no " + name + " in " + json);
  const std::size_t begin = at + key.size();
  return json.substr(begin, json.find('"', begin) - begin);
}

/// A Keyhold with one key.
class Service {
 public:
  Service(const Options& options, std::vector<std::string> settings) {
    folder_ = "/dev/shm/keyhold-bench-" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_);
    std::vector<std::string> arguments = {options.keyhold,  "dev",      "--data",
                                          folder_ / "data", "--listen", "127.0.0.1:0"};
    for (const std::string& setting : settings) {
      arguments.push_back("--set");
      arguments.push_back(setting);
    }
    process_ =
        std::make_unique<Process>(arguments, "keyhold: ready",
                                  Process::Environment{{"AWS_ACCESS_KEY_ID", kCaller.id},
                                                       {"AWS_SECRET_ACCESS_KEY", kCaller.secret}});
    const std::string& said = process_->output();
    const std::size_t at = said.find("127.0.0.1:", said.find("keyhold: ready"));
    port_ = static_cast<std::uint16_t>(std::stoi(said.substr(at + 10)));
    key_ = member(call("CreateKey", "{}"), "KeyId");
    ciphertext_ = member(call("Encrypt", body("Encrypt")), "CiphertextBlob");
  }
  ~Service() {
    process_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string body(const std::string& operation) const {
    const std::string key = R"({"KeyId":")" + key_ + "\"";
    if (operation == "Encrypt") {
      return key + R"(,"Plaintext":"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=",)" +
             std::string(kContext) + "}";
    }
    if (operation == "Decrypt") {
      return R"({"CiphertextBlob":")" + ciphertext_ + "\"," + std::string(kContext) + "}";
    }
    if (operation == "GenerateDataKey") {
      return key + R"(,"KeySpec":"AES_256",)" + std::string(kContext) + "}";
    }
    return key + "}";
  }
  std::string request(const std::string& operation) const {
    return signed_request(kCaller, host(), operation, body(operation));
  }
  std::string call(const std::string& operation, const std::string& body) const {
    return ask(port_, Transport::kPlain, signed_request(kCaller, host(), operation, body));
  }

  std::uint16_t port() const { return port_; }
  const Process& process() const { return *process_; }

 private:
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

  std::filesystem::path folder_;
  std::unique_ptr<Process> process_;
  std::uint16_t port_ = 0;
  std::string key_;
  std::string ciphertext_;
};

Measurement measure(const Process& process, const LoadPlan& plan) {
  const double before = process.cpu_seconds();
  const LoadOutcome outcome = run_load(plan);
  const double used = process.cpu_seconds() - before;
  Measurement measured;
  measured.rate = outcome.rate();
  measured.p50 = outcome.percentile(0.50);
  measured.p99 = outcome.percentile(0.99);
  measured.server_us = outcome.answers == 0 ? 0 : used * 1e6 / static_cast<double>(outcome.answers);
  measured.client_us = outcome.client_cpu_us;
  measured.bad = outcome.bad;
  return measured;
}

int run(const Options& options) {
  const Service service(options, options.settings);
  std::map<std::string, std::unique_ptr<Process>> bare;
  std::map<std::string, std::uint16_t> bare_port;
  for (const std::string& operation : options.operations) {
    const std::size_t size = service.call(operation, service.body(operation)).size();
    auto process = std::make_unique<Process>(
        std::vector<std::string>{options.programs / "keyhold-bare-server", std::to_string(size)},
        "ready at ");
    const std::string& said = process->output();
    bare_port[operation] =
        static_cast<std::uint16_t>(std::stoi(said.substr(said.find("ready at ") + 9)));
    bare[operation] = std::move(process);
  }

  using Place = std::pair<std::string, std::size_t>;
  std::map<Place, Rounds> of_bare;
  std::map<Place, Rounds> of_keyhold;
  for (int round = 0; round < options.rounds; ++round) {
    for (const std::string& operation : options.operations) {
      for (const std::size_t connections : options.connections) {
        LoadPlan plan;
        plan.connections = connections;
        plan.threads = 2;
        plan.time = std::chrono::milliseconds(options.milliseconds);
        plan.requests = {service.request(operation)};
        plan.port = bare_port[operation];
        of_bare[{operation, connections}].push_back(measure(*bare[operation], plan));
        plan.port = service.port();
        of_keyhold[{operation, connections}].push_back(measure(service.process(), plan));
      }
    }
  }
  for (const auto& [place, rounds] : of_keyhold) {
    const Rounds& base = of_bare[place];
    const Spread ratio = ratio_of(rounds, base, &Measurement::rate);
    const auto median = [](const Rounds& of, double Measurement::*what) {
      return spread_of(of, what).median;
    };
    std::uint64_t bad = 0;
    for (const auto& each : rounds) bad += each.bad;
    for (const auto& each : base) bad += each.bad;
    std::cout << place.first << "\t" << place.second << "\tratio " << number(ratio.median, 2)
              << " (" << number(ratio.least, 2) << ".." << number(ratio.most, 2) << ")\trate "
              << number(median(base, &Measurement::rate), 0) << " "
              << number(median(rounds, &Measurement::rate), 0) << "\tp50 "
              << number(median(base, &Measurement::p50), 0) << " "
              << number(median(rounds, &Measurement::p50), 0) << "\tcpu "
              << number(median(base, &Measurement::server_us), 1) << " "
              << number(median(rounds, &Measurement::server_us), 1) << " x"
              << number(ratio_of(rounds, base, &Measurement::server_us).median, 2) << "\tclient "
              << number(median(rounds, &Measurement::client_us), 1) << "\tbad " << bad << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace keyhold::bench

int main(int argc, char** argv) {
  keyhold::bench::Options options;
  options.programs = std::filesystem::canonical("/proc/self/exe").parent_path();
  options.keyhold = options.programs / "../../src/app/keyhold";
  CLI::App cli{"Keyhold beside the bare HTTP server"};
  cli.add_option("--rounds", options.rounds);
  cli.add_option("--milliseconds", options.milliseconds);
  cli.add_option("--connections", options.connections)->delimiter(',');
  cli.add_option("--operations", options.operations)->delimiter(',');
  cli.add_option("--set", options.settings);
  CLI11_PARSE(cli, argc, argv);
  try {
    return keyhold::bench::run(options);
  } catch (const std::exception& error) {
    std::cerr << "keyhold-bench: " << error.what() << "\n";
    return 1;
  }
}
