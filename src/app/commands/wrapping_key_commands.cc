#include "app/commands/wrapping_key_commands.h"

#include <cstdint>
#include <iostream>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"

namespace keyhold::app {
namespace {

constexpr int kUsersFault = 2;
constexpr std::string_view kList = R"({"command":"wrapping-key.list"})";
constexpr std::string_view kRotate = R"({"command":"wrapping-key.rotate"})";
constexpr std::string_view kContinue = R"({"command":"wrapping-key.continue"})";

std::string text_of(const json::Value& object, std::string_view name) {
  const auto member = object.member(name);
  return member ? std::string(member->string().value_or("")) : "";
}

std::int64_t number_of(const json::Value& object, std::string_view name) {
  const auto member = object.member(name);
  return member ? member->integer().value_or(0) : 0;
}

/// Calls `use(root)` with a parsed answer.
template <typename Use>
void with_answer(std::string answer, const Use& use) {
  const auto document = json::Document::parse(
      std::span(reinterpret_cast<std::uint8_t*>(answer.data()), answer.size()));
  if (document) use(document->root());
}

void print_keys(const std::string& answer) {
  with_answer(answer, [](const json::Value& root) {
    const auto keys = root.member("wrappingKeys");
    if (!keys || keys->size() == 0) std::cout << "no key material is of wrapped custody\n";
    for (std::size_t i = 0; keys && i < keys->size(); ++i) {
      const auto key = keys->element(i);
      std::cout << text_of(key, "objectName") << "  " << text_of(key, "state") << "  made "
                << text_of(key, "createdAt") << "  key materials " << number_of(key, "keyMaterials")
                << "\n";
    }
  });
}

/// How many key materials are still under others than the current one; nothing when there is no
/// other left.
std::optional<std::int64_t> remaining(const std::string& answer) {
  std::optional<std::int64_t> left;
  with_answer(answer, [&](const json::Value& root) {
    const auto keys = root.member("wrappingKeys");
    for (std::size_t i = 0; keys && i < keys->size(); ++i) {
      const auto key = keys->element(i);
      const std::string state = text_of(key, "state");
      if (state != "retiring" && state != "destroying") continue;
      left = left.value_or(0) + number_of(key, "keyMaterials");
    }
  });
  return left;
}

int failed(const Error& error) {
  std::cerr << "keyhold: " << error.message() << "\n";
  return kUsersFault;
}

int run_list(const OperatorOptions& options) {
  const auto answer = ask(options.place, kList);
  if (!answer) return failed(answer.error());
  if (options.form == OutputForm::kJson) {
    std::cout << *answer << "\n";
  } else {
    print_keys(*answer);
  }
  return 0;
}

int run_rotate(const OperatorOptions& options) {
  // One that is under way is taken to its end first, and is the one that was asked for.
  auto answer = ask(options.place, kList);
  if (!answer) return failed(answer.error());
  if (!remaining(*answer)) {
    answer = ask(options.place, kRotate);
    if (!answer) return failed(answer.error());
  }
  while (const auto left = remaining(*answer)) {
    if (options.form == OutputForm::kText) {
      std::cout << *left << " key materials are to be wrapped anew" << std::endl;
    }
    answer = ask(options.place, kContinue);
    if (!answer) {
      std::cerr << "keyhold: the service goes on trying: " << answer.error().message() << "\n";
      return 1;
    }
  }
  if (options.form == OutputForm::kJson) {
    std::cout << *answer << "\n";
  } else {
    std::cout << "the wrapping key is rotated, and the old one destroyed\n";
    print_keys(*answer);
  }
  return 0;
}

}  // namespace

void WrappingKeyCommands::add_to(CLI::App& cli) {
  CLI::App* group = cli.add_subcommand(
      "wrapping-key", "The key of the token under which key material of wrapped custody is kept");
  group->require_subcommand(1);
  list_ = group->add_subcommand("list", "Show wrapping keys, and how much is wrapped under each");
  rotate_ = group->add_subcommand(
      "rotate", "Make a new wrapping key, wrap all key material anew, and destroy the old one");
  for (CLI::App* command : {list_, rotate_}) {
    add_place(*command, options_.place);
    command->add_flag("--json", as_json_, "Print JSON");
  }
}

std::optional<int> WrappingKeyCommands::run() {
  options_.form = as_json_ ? OutputForm::kJson : OutputForm::kText;
  if (list_->parsed()) return run_list(options_);
  if (rotate_->parsed()) return run_rotate(options_);
  return std::nullopt;
}

}  // namespace keyhold::app
