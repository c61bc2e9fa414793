// Result<T>: a value or a pkcs11::Error.
#pragma once

#include <boost/system/result.hpp>
#include <utility>

#include "pkcs11/error.h"

namespace keyhold::pkcs11 {

/// Called by boost when value() is asked of a failed result, which is a bug in the caller.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& at);

template <typename T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
 public:
  using boost::system::result<T, Error>::result;
};

}  // namespace keyhold::pkcs11

#define KEYHOLD_PKCS11_CONCAT_(a, b) a##b
#define KEYHOLD_PKCS11_CONCAT(a, b) KEYHOLD_PKCS11_CONCAT_(a, b)

/// PKCS11_TRY(expression): leaves the function with the expression's error, if it has one.
#define PKCS11_TRY(...)                             \
  do {                                              \
    auto pkcs11_tried = (__VA_ARGS__);              \
    if (!pkcs11_tried) return pkcs11_tried.error(); \
  } while (false)

/// PKCS11_TRY_ASSIGN(declaration, expression): the value, or leaves the function with the error.
#define PKCS11_TRY_ASSIGN(declaration, ...) \
  PKCS11_TRY_ASSIGN_(KEYHOLD_PKCS11_CONCAT(pkcs11_tried_, __LINE__), declaration, __VA_ARGS__)
#define PKCS11_TRY_ASSIGN_(name, declaration, ...) \
  auto name = (__VA_ARGS__);                       \
  if (!name) return name.error();                  \
  declaration = std::move(*name)
