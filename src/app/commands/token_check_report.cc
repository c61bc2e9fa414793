#include "app/commands/token_check_report.h"

#include <algorithm>
#include <iostream>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace keyhold::app {
namespace {

using token::ImportWay;

void print_row(std::string_view word, std::string_view what, std::string_view detail) {
  std::cout << "  " << word << std::string(word.size() < 12 ? 12 - word.size() : 1, ' ') << what;
  if (!detail.empty()) std::cout << ": " << detail;
  std::cout << "\n";
}

std::string_view place_word(token::Place place) {
  switch (place) {
    case token::Place::kToken:
      return "token";
    case token::Place::kHost:
      return "service";
    case token::Place::kNowhere:
      break;
  }
  return "nowhere";
}

template <typename Use>
void for_each_algorithm(const token::TokenCheck& check, const Use& use) {
  for (const KeySpecRow& spec : key_spec_rows()) {
    for (const Algorithm algorithm : spec.algorithms) {
      use(spec.spec, algorithm, check.capabilities.of(spec.spec, algorithm));
    }
  }
}

void print_acts(std::string_view title, const std::vector<token::AdmissionAct>& acts) {
  std::cout << "\n" << title << "\n";
  for (const auto& act : acts) print_row(to_string(act.outcome), act.act, act.detail);
}

/// A row for the ways of a kind of key that are alike.
void print_imports(const std::vector<ImportWay>& ways) {
  struct Row {
    const ImportWay* first;
    std::string name;
  };
  std::vector<Row> rows;
  for (const ImportWay& way : ways) {
    const auto alike = std::ranges::find_if(rows, [&](const Row& row) {
      return row.first->kind == way.kind && row.first->seen == way.seen;
    });
    if (alike != rows.end()) {
      alike->name.append(", ").append(to_string(way.algorithm));
      continue;
    }
    std::string name(to_string(way.kind.spec));
    name.append(" ").append(to_string(way.kind.usage)).append(" under ");
    rows.push_back({&way, name.append(to_string(way.algorithm))});
  }
  std::cout << "\nimports\n";
  for (const auto& [first, name] : rows) {
    print_row(place_word(first->seen.place), name, first->seen.lacks);
  }
}

void write_acts(json::Writer& writer, std::string_view name,
                const std::vector<token::AdmissionAct>& acts) {
  writer.key(name).begin_array();
  for (const auto& act : acts) {
    writer.begin_object().key("act").string(act.act);
    writer.key("outcome").string(to_string(act.outcome));
    writer.key("detail").string(act.detail).end_object();
  }
  writer.end_array();
}

}  // namespace

void print_check(const token::TokenCheck& check) {
  std::cout << "token '" << check.identity.label << "', serial " << check.identity.serial << ", "
            << check.identity.manufacturer << " " << check.identity.model << ", firmware "
            << check.firmware << ", Cryptoki " << check.cryptoki << "\n";
  print_acts("needed for symmetric keys", check.admission.needed);
  print_acts("must not be possible", check.admission.forbidden);
  std::cout << "\nknown answers\n";
  for (const auto& answer : check.known_answers) {
    print_row(answer.outcome == token::Outcome::kSucceeded ? "right"
              : answer.outcome == token::Outcome::kRefused ? "WRONG"
                                                           : "not shown",
              answer.name + " (" + answer.source + ")", answer.detail);
  }
  std::cout << "\nalgorithms\n";
  for_each_algorithm(check, [](KeySpec spec, Algorithm algorithm, const token::Capability& seen) {
    const std::string name = std::string(to_string(spec)) + " " + std::string(to_string(algorithm));
    const std::string said = seen.said.empty() ? "" : " (" + seen.said + ")";
    print_row(place_word(seen.place), name, seen.lacks + said);
  });
  print_imports(check.imports());
  print_acts("wrapped custody", check.wrapping);
  for (const auto& [spec, seen] : check.wrapped_kinds) {
    print_row(place_word(seen.place), "KeySpec " + std::string(to_string(spec)), seen.lacks);
  }
  print_acts("bad input", check.bad_input);
  std::cout << "\nwhat it serves of KMS\n";
  for (const auto& [feature, served] : check.features()) {
    print_row(served ? "yes" : "no", feature, served ? "" : served.error().message());
  }
  std::cout << "\n";
  if (!check.advice.empty()) {
    std::cout << "what to know\n";
    for (const auto& sentence : check.advice) std::cout << "  - " << sentence << "\n";
    std::cout << "\n";
  }
  std::cout << (check.is_admitted() ? "admitted" : check.refusal) << "\n";
}

std::string check_as_json(const token::TokenCheck& check) {
  json::Writer writer;
  writer.begin_object().key("token").begin_object();
  writer.key("label").string(check.identity.label).key("serial").string(check.identity.serial);
  writer.key("manufacturer").string(check.identity.manufacturer);
  writer.key("model").string(check.identity.model).key("firmware").string(check.firmware);
  writer.key("cryptoki").string(check.cryptoki).end_object();
  writer.key("admitted").boolean(check.is_admitted()).key("refusal").string(check.refusal);
  write_acts(writer, "needed", check.admission.needed);
  write_acts(writer, "forbidden", check.admission.forbidden);
  writer.key("knownAnswers").begin_array();
  for (const auto& answer : check.known_answers) {
    writer.begin_object().key("name").string(answer.name).key("source").string(answer.source);
    writer.key("outcome").string(to_string(answer.outcome)).key("detail").string(answer.detail);
    writer.end_object();
  }
  writer.end_array().key("algorithms").begin_array();
  for_each_algorithm(check, [&](KeySpec spec, Algorithm algorithm, const token::Capability& seen) {
    writer.begin_object().key("keySpec").string(to_string(spec));
    writer.key("algorithm")
        .string(to_string(algorithm))
        .key("place")
        .string(place_word(seen.place));
    writer.key("lacks").string(seen.lacks).key("detail").string(seen.said).end_object();
  });
  writer.end_array().key("imports").begin_array();
  for (const ImportWay& way : check.imports()) {
    writer.begin_object().key("keySpec").string(to_string(way.kind.spec));
    writer.key("keyUsage").string(to_string(way.kind.usage));
    writer.key("wrappingAlgorithm").string(to_string(way.algorithm));
    writer.key("place").string(place_word(way.seen.place));
    writer.key("lacks").string(way.seen.lacks).end_object();
  }
  writer.end_array();
  write_acts(writer, "wrappedCustody", check.wrapping);
  writer.key("wrappedKinds").begin_array();
  for (const auto& [spec, seen] : check.wrapped_kinds) {
    writer.begin_object().key("keySpec").string(to_string(spec));
    writer.key("place").string(place_word(seen.place));
    writer.key("lacks").string(seen.lacks).key("detail").string(seen.said).end_object();
  }
  writer.end_array();
  write_acts(writer, "badInput", check.bad_input);
  writer.key("features").begin_array();
  for (const auto& [feature, served] : check.features()) {
    writer.begin_object().key("feature").string(feature);
    writer.key("served").boolean(static_cast<bool>(served));
    writer.key("reason").string(served ? "" : served.error().message()).end_object();
  }
  writer.end_array().key("advice").begin_array();
  for (const auto& sentence : check.advice) writer.string(sentence);
  writer.end_array().key("profile").string(check.draft).end_object();
  return std::string(writer.text());
}

}  // namespace keyhold::app
