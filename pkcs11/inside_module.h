// Where a sanitizer looks for leaks: memory that a module loses is not the binding's. SoftHSM loses
// the name of a curve with each Ed25519 key, and attributes of an object that two threads refresh
// at once; the leak checker cannot tell whose such memory is once OpenSSL stands in between.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEYHOLD_CHECKS_LEAKS
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define KEYHOLD_CHECKS_LEAKS
#endif

#ifdef KEYHOLD_CHECKS_LEAKS
#include <sanitizer/lsan_interface.h>
#endif

namespace keyhold::pkcs11 {

/// While one lives, what its thread allocates is not looked at. Nothing outside of sanitizer
/// builds.
#ifdef KEYHOLD_CHECKS_LEAKS
using InsideModule = __lsan::ScopedDisabler;
#else
struct InsideModule {};
#endif

}  // namespace keyhold::pkcs11
