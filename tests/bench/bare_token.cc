// The token alone, one thread: the calls of an Encrypt, a Decrypt and a GenerateDataKey with
// nothing around them. Prints lines of name, calls a second and CPU microseconds a call.
//
//   keyhold-bare-token FOLDER [CALLS]
#include <array>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>

#include "app/dev_profile.h"
#include "base/random.h"
#include "token/pkcs11_token.h"
#include "token/softhsm.h"

namespace keyhold::bench {
namespace {

double seconds(clockid_t clock) {
  std::timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// The value, or the end of the program with the error.
template <typename T>
T need(Result<T> result) {
  if (!result) {
    std::cerr << result.error().message() << " (" << result.error().detail() << ")\n";
    std::exit(1);
  }
  return std::move(*result);
}

void measure(const std::string& name, int calls, const std::function<void()>& call) {
  for (int i = 0; i < calls / 10 + 1; ++i) call();
  const double wall = seconds(CLOCK_MONOTONIC);
  const double cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
  for (int i = 0; i < calls; ++i) call();
  const double took = seconds(CLOCK_MONOTONIC) - wall;
  const double used = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
  std::cout << name << " " << calls / took << " " << used / calls * 1e6 << "\n";
}

int run(const std::string& folder, int calls) {
  SystemRandom random;
  const SystemClock clock;
  const Secret pin(std::string_view("0123456789"));
  token::SoftHsmRequest request;
  request.folder = folder;
  request.module = need(token::parse_profile(app::kDevProfile)).module;
  request.label = "bench";
  request.so_pin = pin;
  request.pin = pin;
  const auto overrides = need(token::prepare_softhsm(request));
  const auto profile = need(token::parse_profile(app::kDevProfile, overrides));
  const auto token = need(token::Pkcs11Token::open(profile, pin, clock, random));

  token::Material material;
  std::array<std::uint8_t, 32> name{};
  random.fill(name);
  material.object_name = *ObjectName::from_bytes(name);
  const auto made = need(token->generate_material(material.object_name, "bench", {}));
  material.construction = made.construction;
  material.check_value = made.check_value;

  const Bytes plaintext(32, 0x61);
  const Bytes aad(200, 0x62);
  std::array<std::uint8_t, token::kGcmIvSize> iv{};
  Bytes ciphertext;
  const auto key = need(token->encryption_key(material));
  measure("encrypt", calls, [&] {
    random.fill(iv);
    ciphertext = need(token->encrypt(*need(token->encryption_key(material)), iv, aad, plaintext));
  });
  measure("decrypt", calls, [&] {
    const auto found = need(token->decryption_key(material, key->salt(), key->header_tag()));
    need(token->decrypt(*found, iv, aad, ciphertext));
  });
  measure("data-key", calls, [&] {
    const Secret fresh = need(token->random(32));
    random.fill(iv);
    need(token->encrypt(*need(token->encryption_key(material)), iv, aad, fresh.view()));
  });
  return 0;
}

}  // namespace
}  // namespace keyhold::bench

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: keyhold-bare-token FOLDER [CALLS]\n";
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  return keyhold::bench::run(argv[1], argc > 2 ? std::stoi(argv[2]) : 50'000);
}
