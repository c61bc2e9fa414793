#include "tables.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>

namespace keyhold::bench {
namespace {

constexpr std::string_view kBegin = "<!-- scripts/bench writes from here -->\n";
constexpr std::string_view kEnd = "<!-- to here -->\n";
constexpr std::size_t kManyConnections = 64;

std::string with_spread(const Spread& spread, int digits) {
  return number(spread.median, digits) + " (" + number(spread.least, digits) + " to " +
         number(spread.most, digits) + ")";
}

double median(const Rounds& rounds, double Measurement::*what) {
  return spread_of(rounds, what).median;
}

std::uint64_t bad(const Compared& compared) {
  std::uint64_t all = 0;
  for (const Rounds* rounds : {&compared.bare, &compared.keyhold}) {
    for (const Measurement& round : *rounds) all += round.bad;
  }
  return all;
}

const Compared* find(const std::vector<Compared>& compared, const std::string& operation) {
  const auto found = std::ranges::find_if(compared, [&](const Compared& each) {
    return each.of.operation == operation && each.of.connections == kManyConnections &&
           each.of.transport == Transport::kPlain;
  });
  return found == compared.end() ? nullptr : &*found;
}

}  // namespace

std::string comparison_table(const std::vector<Compared>& compared) {
  std::ostringstream out;
  out << "| operation | transport | connections | rate to bare | wanted | p50 bare, Keyhold (us) | "
         "p99 (us) | CPU client, bare, Keyhold (us) | CPU to bare | bad |\n"
      << "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Compared& each : compared) {
    if (each.of.operation == Service::kRefused) continue;
    out << "| " << each.of.operation << " | "
        << (each.of.transport == Transport::kTls ? "TLS" : "plain") << " | " << each.of.connections
        << " | " << with_spread(ratio_of(each.keyhold, each.bare, &Measurement::rate), 2) << " | "
        << (each.of.wanted_ratio > 0 ? number(each.of.wanted_ratio, 2) : "") << " | "
        << number(median(each.bare, &Measurement::p50), 0) << ", "
        << number(median(each.keyhold, &Measurement::p50), 0) << " | "
        << number(median(each.keyhold, &Measurement::p99), 0) << " | "
        << number(median(each.bare, &Measurement::client_us), 1) << ", "
        << number(median(each.bare, &Measurement::server_us), 1) << ", "
        << number(median(each.keyhold, &Measurement::server_us), 1) << " | "
        << with_spread(ratio_of(each.keyhold, each.bare, &Measurement::server_us), 2) << " | "
        << bad(each) << " |\n";
  }
  return out.str();
}

std::string layer_table(const std::vector<Compared>& compared) {
  const Compared* refused = find(compared, Service::kRefused);
  const Compared* described = find(compared, "DescribeKey");
  const Compared* encrypted = find(compared, "Encrypt");
  if (refused == nullptr || described == nullptr || encrypted == nullptr) return {};
  const double http = median(refused->bare, &Measurement::server_us);
  const double signature = median(refused->keyhold, &Measurement::server_us);
  const double memory = median(described->keyhold, &Measurement::server_us);
  const double all = median(encrypted->keyhold, &Measurement::server_us);
  return list_table("layer of an Encrypt", "CPU (us)",
                    {{"kernel, HTTP: the bare server", http},
                     {"signature: what a wrong one costs beyond that", signature - http},
                     {"JSON, decision, audit: DescribeKey beyond that", memory - signature},
                     {"token, ciphertext: Encrypt beyond that", all - memory},
                     {"together", all}},
                    1);
}

std::string growth_table(const std::vector<Grown>& grown) {
  std::ostringstream out;
  out << "| with | CPU a request (us) | p50 (us) | to make one (ms) | start (s) | memory (MiB) | "
         "bad |\n| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Grown& each : grown) {
    out << "| " << each.what << " | " << number(each.used.server_us, 1) << " | "
        << number(each.used.p50, 0) << " | " << number(each.make_ms, 1) << " | "
        << number(each.start_seconds, 2) << " | " << number(each.memory_mb, 0) << " | "
        << each.used.bad << " |\n";
  }
  return out.str();
}

std::string key_use_table(const std::vector<KeyUseCost>& costs) {
  std::ostringstream out;
  out << "| use | token alone, one thread (1/s) | CPU (us) | Keyhold, 8 connections (1/s) | p50 "
         "(us) "
         "| p99 (us) | CPU (us) | CPU beyond the token (us) | bad |\n"
      << "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const KeyUseCost& each : costs) {
    std::string name = each.name;
    std::ranges::replace(name, ':', ' ');
    out << "| " << name << " | " << number(each.token_rate, 0) << " | " << number(each.token_us, 1)
        << " | " << number(each.keyhold.rate, 0) << " | " << number(each.keyhold.p50, 0) << " | "
        << number(each.keyhold.p99, 0) << " | " << number(each.keyhold.server_us, 1) << " | "
        << number(each.keyhold.server_us - each.token_us, 1) << " | " << each.keyhold.bad << " |\n";
  }
  return out.str();
}

std::string generation_table(const std::vector<BesideGeneration>& measured) {
  std::ostringstream out;
  out << "| Encrypt, connections | | rate (1/s) | p50 (us) | p99 (us) | RSA_4096 keys made | bad "
         "|\n"
      << "| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const BesideGeneration& each : measured) {
    for (const Measurement* one : {&each.alone, &each.beside}) {
      out << "| " << each.connections << " | "
          << (one == &each.alone ? "alone" : "while keys are made") << " | " << number(one->rate, 0)
          << " | " << number(one->p50, 0) << " | " << number(one->p99, 0) << " | "
          << (one == &each.alone ? 0 : each.keys_made) << " | " << one->bad << " |\n";
    }
  }
  return out.str();
}

std::string list_table(const std::string& first, const std::string& second,
                       const std::vector<Named>& rows, int digits) {
  std::ostringstream out;
  out << "| " << first << " | " << second << " |\n| --- | --- |\n";
  for (const Named& row : rows) {
    out << "| " << row.name << " | " << number(row.value, digits) << " |\n";
  }
  return out.str();
}

std::string verdict(const std::vector<Compared>& compared) {
  const Compared* encrypted = find(compared, "Encrypt");
  if (encrypted == nullptr) return "bench: no Encrypt at 64 connections was measured";
  const Spread ratio = ratio_of(encrypted->keyhold, encrypted->bare, &Measurement::server_us);
  return "bench: server CPU of an Encrypt relative to the bare server's: " + with_spread(ratio, 2) +
         ", wanted at most 4";
}

void write_document(const std::filesystem::path& document, const std::string& text) {
  std::ifstream in(document);
  const std::string old((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::size_t begin = old.find(kBegin);
  const std::size_t end = old.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    throw std::runtime_error(document.string() + " has not the marks to write between");
  }
  std::ofstream(document) << old.substr(0, begin + kBegin.size()) << "\n"
                          << text << "\n"
                          << old.substr(end);
}

}  // namespace keyhold::bench
