#include "service.h"

#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <utility>

#include "signed_request.h"

namespace keyhold::bench {
namespace {

const AccessKey kCaller{"AKIDBENCH00000000000", "bench-secret-access-key-of-no-value"};
const AccessKey kStranger{"AKIDBENCH00000000000", "another-secret-access-key"};
constexpr const char* kContext =
    R"("EncryptionContext":{"tenant":"0000000042","purpose":"column-encryption",)"
    R"("table":"customers","stage":"production"})";
constexpr const char* kPlaintext = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=";  // 32 bytes

std::uint16_t port_after(const std::string& text, const std::string& mark) {
  return static_cast<std::uint16_t>(std::stoi(text.substr(text.find(mark) + mark.size())));
}

}  // namespace

std::string member(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":\"";
  const std::size_t at = json.find(key);
  if (at == std::string::npos) throw std::runtime_error("no " + name + " in " + json);
  const std::size_t begin = at + key.size();
  return json.substr(begin, json.find('"', begin) - begin);
}

ScratchFolder::ScratchFolder() {
  static std::atomic<int> number{0};
  path_ = "/dev/shm/keyhold-bench-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  std::filesystem::create_directories(path_);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Service::Service(const Programs& programs, Transport transport, std::vector<std::string> settings,
                 Process::Environment environment)
    : programs_(programs), transport_(transport), environment_([&environment] {
        environment.emplace_back("AWS_ACCESS_KEY_ID", kCaller.id);
        environment.emplace_back("AWS_SECRET_ACCESS_KEY", kCaller.secret);
        return std::move(environment);
      }()) {
  start(settings);
  key_ = create_key();
  ciphertext_ = member(call("Encrypt", body("Encrypt")), "CiphertextBlob");
}

void Service::start(const std::vector<std::string>& settings) {
  std::vector<std::string> arguments = {programs_.keyhold,       "dev",      "--data",
                                        folder_.path() / "data", "--listen", "127.0.0.1:0"};
  const auto set = [&](const std::string& setting) {
    arguments.emplace_back("--set");
    arguments.push_back(setting);
  };
  for (const std::string& setting : settings) set(setting);
  if (transport_ == Transport::kTls) set("dev.tls=true");
  process_ = std::make_unique<Process>(arguments, "keyhold: ready", environment_);
  const std::string& said = process_->output();
  port_ = port_after(said.substr(said.find("keyhold: ready")), "127.0.0.1:");
}

void Service::restart(std::vector<std::string> settings) {
  process_.reset();
  start(settings);
}

std::string Service::create_key() const { return member(call("CreateKey", "{}"), "KeyId"); }

std::string Service::body(const std::string& operation, const std::string& key) const {
  const std::string named = R"({"KeyId":")" + key + "\"";
  if (operation == "Encrypt" || operation == kRefused) {
    return named + R"(,"Plaintext":")" + kPlaintext + "\"," + kContext + "}";
  }
  if (operation == "Decrypt") {
    return R"({"CiphertextBlob":")" + ciphertext_ + "\"," + kContext + "}";
  }
  if (operation == "GenerateDataKey") return named + R"(,"KeySpec":"AES_256",)" + kContext + "}";
  return named + "}";
}

std::string Service::request(const std::string& operation, const std::string& body) const {
  if (operation == kRefused) return signed_request(kStranger, host(), "Encrypt", body);
  return signed_request(kCaller, host(), operation, body);
}

std::string Service::call(const std::string& operation, const std::string& body) const {
  return ask(port_, transport_, request(operation, body));
}

BareServer::BareServer(const Programs& programs, Transport transport, std::size_t answer_size,
                       const Process::Environment& environment)
    : process_({programs.bare_server, std::to_string(answer_size),
                transport == Transport::kTls ? "tls" : "plain"},
               "ready at ", environment),
      port_(port_after(process_.output(), "ready at ")) {}

}  // namespace keyhold::bench
