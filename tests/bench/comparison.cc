#include "comparison.h"

#include <iostream>
#include <map>
#include <memory>
#include <utility>

namespace keyhold::bench {
namespace {

/// The two servers for one transport, made when a case first wants them.
class Servers {
 public:
  Servers(const Programs& programs, Transport transport, const std::vector<std::string>& settings)
      : programs_(programs), service_(programs, transport, settings) {}

  const Service& service() const { return service_; }
  const BareServer& bare(const std::string& operation) {
    auto& server = bare_[operation];
    if (server == nullptr) {
      const std::size_t size = operation == Service::kRefused
                                   ? 200
                                   : service_.call(operation, service_.body(operation)).size();
      server = std::make_unique<BareServer>(programs_, service_.transport(), size);
    }
    return *server;
  }

 private:
  const Programs programs_;
  Service service_;
  std::map<std::string, std::unique_ptr<BareServer>> bare_;
};

}  // namespace

Measurement measure(const Process& process, const LoadPlan& plan) {
  const double before = process.cpu_seconds();
  const LoadOutcome outcome = run_load(plan);
  const double used = process.cpu_seconds() - before;
  Measurement measured;
  measured.rate = outcome.rate();
  measured.p50 = outcome.percentile(0.50);
  measured.p99 = outcome.percentile(0.99);
  if (outcome.answers > 0) measured.server_us = used * 1e6 / static_cast<double>(outcome.answers);
  measured.client_us = outcome.client_cpu_us;
  measured.bad = outcome.bad;
  return measured;
}

std::vector<Compared> compare(const Programs& programs, const std::vector<Case>& cases,
                              const Effort& effort, const std::vector<std::string>& settings) {
  std::map<Transport, std::unique_ptr<Servers>> servers;
  std::vector<Compared> compared;
  for (const Case& each : cases) compared.push_back({each, {}, {}});
  for (int round = 0; round < effort.rounds; ++round) {
    std::cerr << "round " << round + 1 << " of " << effort.rounds << "\n";
    for (Compared& each : compared) {
      auto& pair = servers[each.of.transport];
      if (pair == nullptr) {
        pair = std::make_unique<Servers>(programs, each.of.transport, settings);
      }
      LoadPlan plan;
      plan.transport = each.of.transport;
      plan.connections = each.of.connections;
      plan.threads = 2;
      plan.time = effort.time;
      plan.wanted_status = each.of.operation == Service::kRefused ? 400 : 200;
      plan.requests = {pair->service().request(each.of.operation)};
      const BareServer& bare = pair->bare(each.of.operation);
      plan.port = pair->service().port();
      each.keyhold.push_back(measure(pair->service().process(), plan));
      plan.port = bare.port();
      plan.wanted_status = 200;
      each.bare.push_back(measure(bare.process(), plan));
    }
  }
  return compared;
}

}  // namespace keyhold::bench
