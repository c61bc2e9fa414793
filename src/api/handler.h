// handled_by<f>: a typed handler as a row holds it. Request and response are read off its
// signature, `Result<Response> f(Context&, const Request&)`; a handler that answers nothing is
// `Result<void> f(…)`.
//
// A request struct may have, beside its shape(),
//   Result<void> complete();              what the shape cannot say, and AWS's defaults filled in
//   Result<void> check_after_lookup() const;   what AWS checks once it has the key
//   Result<void> check_with_keys(const Context&) const;   and once the key fits
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "api/operation.h"
#include "api/tags.h"

namespace keyhold::api {
namespace handler_detail {

template <typename F>
struct Signature;
template <typename Out, typename In>
struct Signature<Result<Out> (*)(Context&, const In&)> {
  using Request = In;
  using Response = Out;
};

/// What remains of a name, `Constraints.SourceArn`, inside the structure of that name; empty if it
/// names nothing in it.
inline std::string_view inside(std::string_view name, std::string_view structure) {
  if (!name.starts_with(structure) || name.size() <= structure.size() ||
      name[structure.size()] != '.') {
    return {};
  }
  return name.substr(structure.size() + 1);
}

/// The value of type Wanted (or optional of it) in the member of that name.
template <typename Wanted, typename T>
const Wanted* find_member(const T& from, std::string_view name) {
  const Wanted* found = nullptr;
  std::apply(
      [&](const auto&... member) {
        const auto look = [&](const auto& one) {
          const auto& value = from.*one.pointer;
          using Value = std::remove_cvref_t<decltype(value)>;
          if constexpr (shape_detail::Structure<shape_detail::Bare<Value>>) {
            const std::string_view rest = inside(name, one.name);
            if (rest.empty()) return;
            if constexpr (shape_detail::kIsOptional<Value>) {
              if (value) found = find_member<Wanted>(*value, rest);
            } else {
              found = find_member<Wanted>(value, rest);
            }
            return;
          }
          if (one.name != name) return;
          if constexpr (std::is_same_v<Value, Wanted>) found = &value;
          if constexpr (std::is_same_v<Value, std::optional<Wanted>>) {
            if (value) found = &*value;
          }
        };
        (look(member), ...);
      },
      shape_detail::kShape<T>);
  return found;
}

template <typename T>
class TypedRequest final : public Request {
 public:
  explicit TypedRequest(T value) : value_(std::move(value)) {}

  const T& value() const { return value_; }

  const std::string* text(std::string_view member) const override {
    return find_member<std::string>(value_, member);
  }
  const Bytes* blob(std::string_view member) const override {
    return find_member<Bytes>(value_, member);
  }
  std::optional<std::int64_t> number(std::string_view member) const override {
    return copy(find_member<std::int64_t>(value_, member));
  }
  std::optional<bool> boolean(std::string_view member) const override {
    return copy(find_member<bool>(value_, member));
  }
  const kms::EncryptionContext* context(std::string_view member) const override {
    return find_member<kms::EncryptionContext>(value_, member);
  }
  std::vector<kms::Tag> tags(std::string_view member) const override {
    const auto* found = find_member<std::vector<Tag>>(value_, member);
    return found == nullptr ? std::vector<kms::Tag>() : from_wire(*found);
  }
  std::optional<TimePoint> instant(std::string_view member) const override {
    return copy(find_member<TimePoint>(value_, member));
  }
  std::span<const std::string> list(std::string_view member) const override {
    const auto* found = find_member<std::vector<std::string>>(value_, member);
    return found == nullptr ? std::span<const std::string>() : *found;
  }
  std::string audit_form() const override { return api::audit_form(value_); }

 private:
  template <typename Value>
  static std::optional<Value> copy(const Value* found) {
    if (found == nullptr) return std::nullopt;
    return *found;
  }

  T value_;
};

template <typename T>
Result<std::unique_ptr<Request>> read(json::Value body) {
  TRY_ASSIGN(T value, read_shape<T>(body));
  if constexpr (requires { value.complete(); }) TRY(value.complete());
  TRY(check_refusals(value));
  return std::unique_ptr<Request>(std::make_unique<TypedRequest<T>>(std::move(value)));
}

template <typename T>
const T& typed(const Request& request) {
  return static_cast<const TypedRequest<T>&>(request).value();
}

template <typename T>
Result<void> check_after_lookup([[maybe_unused]] const Request& request) {
  if constexpr (requires(const T& value) { value.check_after_lookup(); }) {
    return typed<T>(request).check_after_lookup();
  }
  return {};
}

template <typename T>
Result<void> check_with_keys([[maybe_unused]] const Context& context,
                             [[maybe_unused]] const Request& request) {
  if constexpr (requires(const T& value) { value.check_with_keys(context); }) {
    return typed<T>(request).check_with_keys(context);
  }
  return {};
}

template <auto kHandle>
Result<Rendered> run(Context& context, const Request& request) {
  using Types = Signature<decltype(kHandle)>;
  const auto& in = typed<typename Types::Request>(request);
  if constexpr (std::is_void_v<typename Types::Response>) {
    TRY(kHandle(context, in));
    return Rendered{{}, "null"};
  } else {
    static_assert(in_wire_order<typename Types::Response>());
    TRY_ASSIGN(const auto out, kHandle(context, in));
    json::Writer writer;
    write_shape(writer, out);
    return Rendered{writer.take_secret(), audit_form(out)};
  }
}

template <typename T>
Description describe_or_nothing() {
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return describe<T>();
  }
}

}  // namespace handler_detail

template <auto kHandle>
inline constexpr Handler handled_by = {
    .read = handler_detail::read<typename handler_detail::Signature<decltype(kHandle)>::Request>,
    .check_after_lookup = handler_detail::check_after_lookup<
        typename handler_detail::Signature<decltype(kHandle)>::Request>,
    .check_with_keys = handler_detail::check_with_keys<
        typename handler_detail::Signature<decltype(kHandle)>::Request>,
    .run = handler_detail::run<kHandle>,
    .request_shape = api::describe<typename handler_detail::Signature<decltype(kHandle)>::Request>,
    .response_shape = handler_detail::describe_or_nothing<
        typename handler_detail::Signature<decltype(kHandle)>::Response>,
};

}  // namespace keyhold::api
