// What the uses of asymmetric and HMAC keys cost beside the token alone, and what the making of RSA
// keys does to the light calls beside it.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "measurement.h"
#include "service.h"

namespace keyhold::bench {

struct KeyUseCost {
  std::string name;
  double token_rate = 0;  ///< of one thread
  double token_us = 0;    ///< CPU of a call
  Measurement keyhold;
};

/// Each use for that long on either side; Keyhold with 8 connections.
std::vector<KeyUseCost> measure_key_uses(const Programs& programs, std::chrono::milliseconds time,
                                         const std::vector<std::string>& settings);

struct BesideGeneration {
  std::size_t connections = 0;
  Measurement alone;
  Measurement beside;
  std::size_t keys_made = 0;  ///< RSA_4096, one after the other, during the second measurement
};

std::vector<BesideGeneration> measure_beside_generation(const Programs& programs,
                                                        std::chrono::milliseconds time,
                                                        const std::vector<std::string>& settings);

}  // namespace keyhold::bench
