// Where tests find things. One file knows the paths, so that all others compile alike in every
// clone.
#pragma once

#include <string>

namespace keyhold::test {

/// The root of the source tree.
std::string source_folder();

/// libkeyhold-fault.so of this build.
std::string fault_module();

/// Where Debian has SoftHSM's module.
inline constexpr const char* kSoftHsm = "/usr/lib/softhsm/libsofthsm2.so";

}  // namespace keyhold::test
