// Result<T>: a value or an Error. Exceptions are left for bugs and exhaustion.
#pragma once

#include <boost/system/result.hpp>
#include <utility>

#include "base/error.h"

namespace keyhold {

/// Called by boost when value() is asked of a failed result, which is a bug in the caller.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& at);

template <typename T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
 public:
  using boost::system::result<T, Error>::result;
};

}  // namespace keyhold

#define KEYHOLD_CONCAT_(a, b) a##b
#define KEYHOLD_CONCAT(a, b) KEYHOLD_CONCAT_(a, b)

/// TRY(expression): leaves the function with the expression's error, if it has one.
#define TRY(...)                                      \
  do {                                                \
    auto keyhold_tried = (__VA_ARGS__);               \
    if (!keyhold_tried) return keyhold_tried.error(); \
  } while (false)

/// TRY_ASSIGN(declaration, expression): the value, or leaves the function with the error.
#define TRY_ASSIGN(declaration, ...) \
  TRY_ASSIGN_(KEYHOLD_CONCAT(keyhold_tried_, __LINE__), declaration, __VA_ARGS__)
#define TRY_ASSIGN_(name, declaration, ...) \
  auto name = (__VA_ARGS__);                \
  if (!name) return name.error();           \
  declaration = std::move(*name)
