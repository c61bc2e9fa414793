#include "store/words.h"

#include <array>
#include <cstdlib>
#include <utility>

namespace keyhold::store {
namespace {

constexpr std::array<std::pair<IntentKind, std::string_view>, 4> kIntentKinds{
    {{IntentKind::kCreateKey, "create-key"},
     {IntentKind::kRotateOnDemand, "rotate-on-demand"},
     {IntentKind::kRotateAutomatic, "rotate-automatic"},
     {IntentKind::kImportKeyMaterial, "import-key-material"}}};

constexpr std::array<std::pair<MaterialPresence, std::string_view>, 4> kMaterialPresences{
    {{MaterialPresence::kPresent, "present"},
     {MaterialPresence::kDeleting, "deleting"},
     {MaterialPresence::kExpiring, "expiring"},
     {MaterialPresence::kAbsent, "absent"}}};

constexpr std::array<std::pair<MaterialStanding, std::string_view>, 2> kMaterialStandings{
    {{MaterialStanding::kPermanent, "permanent"},
     {MaterialStanding::kPendingRotation, "pending-rotation"}}};

constexpr std::array<std::pair<CustodyKeyState, std::string_view>, 4> kCustodyKeyStates{
    {{CustodyKeyState::kIntended, "intended"},
     {CustodyKeyState::kCurrent, "current"},
     {CustodyKeyState::kRetiring, "retiring"},
     {CustodyKeyState::kDestroying, "destroying"}}};

constexpr std::array<std::pair<CredentialStatus, std::string_view>, 2> kCredentialStatuses{
    {{CredentialStatus::kActive, "active"}, {CredentialStatus::kDisabled, "disabled"}}};

constexpr std::array<std::pair<ContextConstraint, std::string_view>, 3> kContextConstraints{
    {{ContextConstraint::kNone, "none"},
     {ContextConstraint::kEquals, "equals"},
     {ContextConstraint::kSubset, "subset"}}};

template <typename Table, typename Word>
std::string_view spelling(const Table& table, Word value) {
  for (const auto& [word, text] : table) {
    if (word == value) return text;
  }
  std::abort();  // an enumerator without a row
}

template <typename Word, std::size_t kSize>
std::optional<Word> parse(const std::array<std::pair<Word, std::string_view>, kSize>& table,
                          std::string_view text) {
  for (const auto& [word, spelled] : table) {
    if (spelled == text) return word;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(IntentKind value) { return spelling(kIntentKinds, value); }
std::string_view to_string(MaterialPresence value) { return spelling(kMaterialPresences, value); }
std::string_view to_string(MaterialStanding value) { return spelling(kMaterialStandings, value); }
std::string_view to_string(CustodyKeyState value) { return spelling(kCustodyKeyStates, value); }
std::string_view to_string(CredentialStatus value) { return spelling(kCredentialStatuses, value); }
std::string_view to_string(ContextConstraint value) { return spelling(kContextConstraints, value); }

}  // namespace keyhold::store

namespace keyhold {

template <>
std::optional<store::IntentKind> parse_word(std::string_view text) {
  return store::parse(store::kIntentKinds, text);
}

template <>
std::optional<store::MaterialPresence> parse_word(std::string_view text) {
  return store::parse(store::kMaterialPresences, text);
}

template <>
std::optional<store::MaterialStanding> parse_word(std::string_view text) {
  return store::parse(store::kMaterialStandings, text);
}

template <>
std::optional<store::CustodyKeyState> parse_word(std::string_view text) {
  return store::parse(store::kCustodyKeyStates, text);
}

template <>
std::optional<store::CredentialStatus> parse_word(std::string_view text) {
  return store::parse(store::kCredentialStatuses, text);
}

template <>
std::optional<store::ContextConstraint> parse_word(std::string_view text) {
  return store::parse(store::kContextConstraints, text);
}

}  // namespace keyhold
