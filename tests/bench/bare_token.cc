// The token alone, one thread, with nothing around its calls. Prints lines of name, calls a second
// and CPU microseconds a call.
//
//   keyhold-bare-token FOLDER messages CALLS   the calls of Encrypt, Decrypt and GenerateDataKey
//   keyhold-bare-token FOLDER keys MS          the uses of other keys, each for so many ms
#include <array>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>

#include "app/dev_profile.h"
#include "base/random.h"
#include "key_use.h"
#include "token/pkcs11_token.h"
#include "token/public_key.h"
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

/// As many calls as fit, one more than none.
void measure_for(const std::string& name, double most, const std::function<void()>& call) {
  call();
  const double wall = seconds(CLOCK_MONOTONIC);
  const double cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
  int calls = 0;
  double took = 0;
  while (took < most) {
    call();
    ++calls;
    took = seconds(CLOCK_MONOTONIC) - wall;
  }
  const double used = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
  std::cout << name << " " << calls / took << " " << used / calls * 1e6 << "\n";
}

token::Material make_material(token::Token& token, Random& random, token::MaterialKind kind) {
  token::Material material;
  material.object_name = ObjectName::draw(random);
  material.kind = kind;
  auto made = need(token.generate_material(material.object_name, "bench", kind));
  material.construction = made.construction;
  material.check_value = std::move(made.check_value);
  material.custody = made.custody;
  if (!made.public_key.empty()) {
    material.public_key = std::make_shared<const token::PublicKey>(std::move(made.public_key));
  }
  return material;
}

/// What the service does for a use, beneath all that is KMS.
std::function<void()> call_of(token::Token& token, const token::Material& material,
                              const KeyUse& use) {
  const Message message{MessageType::kRaw, as_bytes(kMessage)};
  const Algorithm algorithm = use.algorithm;
  switch (row_of(algorithm).scheme) {
    case Scheme::kEcdh: {
      const auto point = token::peer_point(use.spec, material.public_key->spki());
      return [&token, &material, peer = *point] { need(token.agree(material, peer)); };
    }
    case Scheme::kOaep: {
      const Bytes ciphertext = need(token.encrypt_padded(material, algorithm, as_bytes(kMessage)));
      return
          [=, &token, &material] { need(token.decrypt_padded(material, algorithm, ciphertext)); };
    }
    case Scheme::kHmac:
      return [=, &token, &material] { need(token.sign(material, algorithm, message)); };
    default:
      break;
  }
  if (std::string_view(use.operation) == "Sign") {
    return [=, &token, &material] { need(token.sign(material, algorithm, message)); };
  }
  const Bytes signature = need(token.sign(material, algorithm, message));
  return [=, &token, &material] {
    if (!token.verify(material, algorithm, message, signature)) std::exit(1);
  };
}

void measure_keys(token::Token& token, Random& random, double most) {
  for (const KeyUse& use : kKeyUses) {
    const token::Material material = make_material(token, random, {use.spec, use.usage});
    measure_for(use.name(), most, call_of(token, material, use));
  }
}

void measure_messages(token::Token& token, Random& random, int calls) {
  const token::Material material = make_material(token, random, {});
  const Bytes plaintext(32, 0x61);
  const Bytes aad(200, 0x62);
  std::array<std::uint8_t, token::kGcmIvSize> iv{};
  Bytes ciphertext;
  const auto key = need(token.encryption_key(material));
  measure("encrypt", calls, [&] {
    random.fill(iv);
    ciphertext = need(token.encrypt(*need(token.encryption_key(material)), iv, aad, plaintext));
  });
  measure("decrypt", calls, [&] {
    const auto found = need(token.decryption_key(material, key->salt(), key->header_tag()));
    need(token.decrypt(*found, iv, aad, ciphertext));
  });
  measure("data-key", calls, [&] {
    const Secret fresh = need(token.random(32));
    random.fill(iv);
    need(token.encrypt(*need(token.encryption_key(material)), iv, aad, fresh.view()));
  });
}

int run(const std::string& folder, std::string_view part, int extent) {
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

  if (part == "keys") {
    measure_keys(*token, random, extent / 1000.0);
  } else {
    measure_messages(*token, random, extent);
  }
  return 0;
}

}  // namespace
}  // namespace keyhold::bench

int main(int argc, char** argv) {
  const std::string_view part = argc == 4 ? argv[2] : "";
  if (part != "keys" && part != "messages") {
    std::cerr << "usage: keyhold-bare-token FOLDER keys MS | messages CALLS\n";
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  return keyhold::bench::run(argv[1], part, std::stoi(argv[3]));
}
