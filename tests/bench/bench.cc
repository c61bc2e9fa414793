// What Keyhold costs beyond its HTTP server and its token; see scripts/bench.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "comparison.h"
#include "growth.h"
#include "key_use_costs.h"
#include "service.h"
#include "tables.h"

namespace keyhold::bench {
namespace {

constexpr std::size_t kMany = 64;

struct Options {
  Programs programs;
  std::filesystem::path document;
  std::string length = "full";   ///< full, quick
  std::size_t wrapped_keys = 0;  ///< 0: as many as the length says
  std::string parts = "compare,token,durability,keys,generation,decisions,allocations,growth";
  std::string transports = "plain,tls";
  std::vector<std::string> settings;

  bool quick() const { return length == "quick"; }
  bool has(const std::string& part) const { return parts.find(part) != std::string::npos; }
};

std::vector<Case> all_cases(const Options& options) {
  std::vector<Case> all = {{"Encrypt", kMany, Transport::kPlain, 0.40},
                           {"Decrypt", kMany, Transport::kPlain, 0.40},
                           {"GenerateDataKey", kMany, Transport::kPlain, 0.38},
                           {"DescribeKey", kMany, Transport::kPlain, 0.60},
                           {Service::kRefused, kMany, Transport::kPlain, 0},
                           {"Encrypt", 1, Transport::kPlain, 0},
                           {"Encrypt", kMany, Transport::kTls, 0.50}};
  if (options.quick()) return all;
  for (const std::size_t connections : {std::size_t{8}, std::size_t{256}}) {
    for (const Transport transport : {Transport::kPlain, Transport::kTls}) {
      all.push_back({"Encrypt", connections, transport, 0});
      all.push_back({"Decrypt", connections, transport, 0});
    }
  }
  all.push_back({"Decrypt", 1, Transport::kPlain, 0});
  all.push_back({"Encrypt", 1, Transport::kTls, 0});
  all.push_back({"GenerateDataKey", kMany, Transport::kTls, 0.50});
  all.push_back({"Decrypt", kMany, Transport::kTls, 0.50});
  return all;
}

std::vector<Case> cases(const Options& options) {
  std::vector<Case> wanted = all_cases(options);
  std::erase_if(wanted, [&](const Case& each) {
    const char* transport = each.transport == Transport::kTls ? "tls" : "plain";
    return options.transports.find(transport) == std::string::npos;
  });
  return wanted;
}

std::string token_table(const Options& options) {
  const ScratchFolder folder;
  const std::string command = options.programs.bare_token.string() + " " + folder.path().string() +
                              " messages " + (options.quick() ? "10000" : "100000") +
                              " 2>/dev/null";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  std::string said;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) said += line.data();
  ::pclose(pipe);
  std::istringstream in(said);
  std::vector<Named> rows;
  std::string name;
  for (double rate = 0, cpu = 0; in >> name >> rate >> cpu;) rows.push_back({name, cpu});
  return list_table("the token alone, one thread", "CPU a call (us)", rows, 1);
}

/// The cost of a decision by itself, which the growth of requests shows among everything else.
std::string decision_table(const Options& options) {
  const std::string command =
      options.programs.decisions.string() + (options.quick() ? " 10000" : " 1000000");
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  std::vector<Named> rows;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
    const std::string text = line.data();
    const auto tab = text.find('\t');
    if (tab != std::string::npos)
      rows.push_back({text.substr(0, tab), std::stod(text.substr(tab))});
  }
  ::pclose(pipe);
  return list_table("one decision, one thread", "CPU (us)", rows, 2);
}

/// Counts in a page that the servers' processes share.
class AllocationCounter {
 public:
  AllocationCounter() {
    path_ = folder_.path() / "count";
    std::ofstream(path_) << std::string(sizeof(unsigned long), '\0');
    const int file = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    void* page = ::mmap(nullptr, sizeof(unsigned long), PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    if (page == MAP_FAILED) throw std::runtime_error("no page to count in");
    count_ = static_cast<const std::atomic<unsigned long>*>(page);
  }
  Process::Environment environment(const Programs& programs) const {
    return {{"LD_PRELOAD", programs.allocations}, {"KEYHOLD_BENCH_ALLOCATIONS", path_}};
  }
  unsigned long value() const { return count_->load(); }

 private:
  ScratchFolder folder_;
  std::filesystem::path path_;
  const std::atomic<unsigned long>* count_ = nullptr;
};

double allocations_of(const AllocationCounter& counter, LoadPlan plan) {
  plan.time = std::chrono::milliseconds(300);
  run_load(plan);  // what is made once is made now
  const unsigned long before = counter.value();
  const LoadOutcome outcome = run_load(plan);
  return static_cast<double>(counter.value() - before) / static_cast<double>(outcome.answers);
}

std::string allocation_table(const Options& options) {
  const AllocationCounter counter;
  std::vector<Named> rows;
  LoadPlan plan;
  {
    const Service service(options.programs, Transport::kPlain, options.settings,
                          counter.environment(options.programs));
    plan.port = service.port();
    for (const char* operation : {"DescribeKey", "Encrypt", "Decrypt", "GenerateDataKey"}) {
      plan.requests = {service.request(operation)};
      rows.push_back({operation, allocations_of(counter, plan)});
    }
  }
  const BareServer bare(options.programs, Transport::kPlain, 400,
                        counter.environment(options.programs));
  plan.port = bare.port();
  rows.insert(rows.begin(), {"the bare server", allocations_of(counter, plan)});
  return list_table("heap allocations", "a request", rows, 1);
}

/// What it costs to have each event on the disk before its answer.
std::string durability_table(const Options& options) {
  std::vector<Named> rows;
  for (const char* durability : {"grouped", "before-reply"}) {
    const Service service(options.programs, Transport::kPlain,
                          {std::string("audit.durability=") + durability});
    for (const std::size_t connections : {std::size_t{1}, kMany}) {
      LoadPlan plan;
      plan.port = service.port();
      plan.connections = connections;
      plan.threads = 2;
      plan.time = std::chrono::milliseconds(options.quick() ? 500 : 3000);
      plan.requests = {service.request("Encrypt")};
      const Measurement measured = measure(service.process(), plan);
      rows.push_back(
          {std::string(durability) + ", " + std::to_string(connections) + " connections: p50 (us)",
           measured.p50});
      rows.push_back(
          {std::string(durability) + ", " + std::to_string(connections) + " connections: CPU (us)",
           measured.server_us});
    }
  }
  return list_table("audit.durability, Encrypt", "", rows, 1);
}

std::string machine() {
  utsname system{};
  ::uname(&system);
  std::string model;
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);) {
    if (line.starts_with("model name")) model = line.substr(line.find(':') + 2);
  }
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return "Measured on " + std::to_string(std::thread::hardware_concurrency()) + " cores (" + model +
         ", Linux " + system.release + "), client on the same ones, load average at the start " +
         number(load, 1) + ".\n";
}

/// A while of nothing but Encrypt, for who wants to look at the service meanwhile.
void be_a_load(const Options& options) {
  const Transport transport = options.transports == "tls" ? Transport::kTls : Transport::kPlain;
  const Service service(options.programs, transport, options.settings);
  LoadPlan plan;
  plan.port = service.port();
  plan.transport = transport;
  plan.connections = kMany;
  plan.threads = 2;
  plan.time = std::chrono::seconds(10);
  plan.requests = {service.request("Encrypt")};
  run_load(plan);
}

int run(const Options& options) {
  if (options.has("load")) {
    be_a_load(options);
    return 0;
  }
  std::string text = machine();
  const auto add = [&](const std::string& title, const std::string& table) {
    std::cout << "\n" << table << std::flush;
    text += "\n### " + title + "\n\n" + table;
  };
  std::vector<Compared> compared;
  if (options.has("compare")) {
    const Effort effort = options.quick() ? Effort{3, std::chrono::milliseconds(600)} : Effort{};
    compared = compare(options.programs, cases(options), effort, options.settings);
    add("Beside the bare server", comparison_table(compared));
    add("By layer", layer_table(compared));
  }
  if (options.has("token")) add("The token alone", token_table(options));
  if (options.has("keys")) {
    const auto time = std::chrono::milliseconds(options.quick() ? 300 : 3000);
    add("Asymmetric and HMAC keys",
        key_use_table(measure_key_uses(options.programs, time, options.settings)));
  }
  if (options.has("generation")) {
    const auto time = std::chrono::milliseconds(options.quick() ? 5000 : 20'000);
    add("While RSA keys are made",
        generation_table(measure_beside_generation(options.programs, time, options.settings)));
  }
  if (options.has("decisions")) add("Who may do what", decision_table(options));
  if (options.has("allocations")) add("Heap allocations", allocation_table(options));
  if (options.has("durability")) add("Audit on disk", durability_table(options));
  if (options.has("growth")) {
    GrowthPlan plan;
    if (options.quick()) {
      plan = {{10, 100}, {100}, {1, 5}, {100}, {1, 100}, {1, 100}, std::chrono::milliseconds(500)};
    }
    if (options.wrapped_keys != 0) plan.wrapped_keys = {options.wrapped_keys};
    add("Growth", growth_table(measure_growth(options.programs, plan)));
  }
  if (!options.document.empty()) write_document(options.document, text);
  std::cout << "\n" << verdict(compared) << std::endl;
  return 0;
}

}  // namespace
}  // namespace keyhold::bench

int main(int argc, char** argv) {
  keyhold::bench::Options options;
  const auto folder = std::filesystem::canonical("/proc/self/exe").parent_path();
  options.programs = {folder / "../../src/app/keyhold", folder / "keyhold-bare-server",
                      folder / "keyhold-bare-token", folder / "keyhold-decisions",
                      folder / "libkeyhold-allocations.so"};
  CLI::App cli{"What Keyhold costs beyond its HTTP server and its token"};
  cli.add_option("--document", options.document, "Markdown file to write the tables into");
  cli.add_option("--length", options.length, "full or quick")
      ->check(CLI::IsMember({"full", "quick"}));
  cli.add_option("--parts", options.parts, "Which to run, with commas between them");
  cli.add_option("--wrapped-keys", options.wrapped_keys,
                 "How many keys of wrapped custody growth is measured with");
  cli.add_option("--transports", options.transports, "plain, tls, or both");
  cli.add_option("--set", options.settings, "Configuration of the compared service");
  CLI11_PARSE(cli, argc, argv);
  try {
    return keyhold::bench::run(options);
  } catch (const std::exception& error) {
    std::cerr << "keyhold-bench: " << error.what() << "\n";
    return 1;
  }
}
