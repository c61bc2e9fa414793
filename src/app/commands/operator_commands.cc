#include "app/commands/operator_commands.h"

#include <iostream>
#include <span>
#include <string_view>

#include "base/json.h"

namespace keyhold::app {
namespace {

constexpr int kUsersFault = 2;

std::string text_of(const json::Value& object, std::string_view name) {
  const auto member = object.member(name);
  if (!member) return "";
  if (const auto text = member->string()) return std::string(*text);
  if (const auto truth = member->boolean()) return *truth ? "true" : "false";
  return "";
}

void print_said(const std::optional<json::Value>& said) {
  if (!said || said->type() == json::Value::Type::kNull) {
    std::cout << "    nothing: the object cannot be read\n";
    return;
  }
  said->for_each_member([&](std::string_view name, json::Value) {
    std::cout << "    " << name << std::string(24 - std::min<std::size_t>(name.size(), 23), ' ')
              << text_of(*said, name) << "\n";
    return true;
  });
}

void print_inspection(const json::Value& key) {
  std::cout << text_of(key, "arn") << "  " << text_of(key, "state") << "\n";
  if (const auto token = key.member("token")) {
    std::cout << "token '" << text_of(*token, "label") << "', serial " << text_of(*token, "serial")
              << ", " << text_of(*token, "manufacturer") << " " << text_of(*token, "model") << "\n";
  }
  const auto materials = key.member("materials");
  for (std::size_t i = 0; materials && i < materials->size(); ++i) {
    const auto material = materials->element(i);
    std::cout << "\nkey material " << text_of(material, "materialId") << "\n  "
              << text_of(material, "state") << ", custody " << text_of(material, "custody")
              << ", made " << text_of(material, "createdAt");
    if (const auto type = text_of(material, "rotationType"); !type.empty()) {
      std::cout << ", current by rotation " << type << " at " << text_of(material, "rotatedAt");
    }
    std::cout << "\n  check value " << text_of(material, "checkValue") << "\n  the token says:\n";
    print_said(material.member("token"));
    if (const auto wrapping_key = material.member("wrappingKey")) {
      std::cout << "  and of its wrapping key " << text_of(*wrapping_key, "objectName") << ":\n";
      print_said(wrapping_key->member("token"));
    }
  }
}

void print_lines(const json::Value& report, std::string_view name, std::string_view heading) {
  const auto lines = report.member(name);
  if (!lines || lines->size() == 0) return;
  std::cout << heading << "\n";
  for (std::size_t i = 0; i < lines->size(); ++i) {
    std::cout << "  " << lines->element(i).string().value_or("") << "\n";
  }
}

/// Asks, and prints the answer as it is or through `print`.
template <typename Print>
int ask_and_print(const OperatorOptions& options, std::string_view request, const Print& print) {
  const auto answer = ask(options.place, request);
  if (!answer) {
    std::cerr << "keyhold: " << answer.error().message() << "\n";
    return kUsersFault;
  }
  if (options.form == OutputForm::kJson) {
    std::cout << *answer << "\n";
    return 0;
  }
  std::string text = *answer;
  const auto document =
      json::Document::parse(std::span(reinterpret_cast<std::uint8_t*>(text.data()), text.size()));
  if (!document) return 1;
  return print(document->root());
}

}  // namespace

int run_key_inspect(const OperatorOptions& options) {
  json::Writer request;
  request.begin_object().key("command").string("key.inspect");
  request.key("keyId").string(options.key_id).end_object();
  return ask_and_print(options, request.text(), [](const json::Value& key) {
    print_inspection(key);
    return 0;
  });
}

int run_reconcile(const OperatorOptions& options) {
  return ask_and_print(options, R"({"command":"reconcile"})", [](const json::Value& report) {
    print_lines(report, "finished", "finished:");
    print_lines(report, "withdrawn", "withdrawn:");
    print_lines(report, "strangers", "in the token and in no row (left alone):");
    print_lines(report, "alarms", "ALARM, in a row and not right in the token:");
    const auto alarms = report.member("alarms");
    const bool clean = !alarms || alarms->size() == 0;
    if (clean) std::cout << "every key material of the store is in the token\n";
    return clean ? 0 : 1;
  });
}

}  // namespace keyhold::app
