// The store's own words as they stand in its rows (the shared ones: base/vocabulary.h).
#pragma once

#include <optional>
#include <string_view>

#include "base/vocabulary.h"
#include "store/store.h"

namespace keyhold::store {

std::string_view to_string(IntentKind value);
std::string_view to_string(MaterialPresence value);
std::string_view to_string(MaterialStanding value);
std::string_view to_string(CustodyKeyState value);
std::string_view to_string(CredentialStatus value);
std::string_view to_string(ContextConstraint value);

}  // namespace keyhold::store

namespace keyhold {

template <>
std::optional<store::IntentKind> parse_word(std::string_view text);
template <>
std::optional<store::MaterialPresence> parse_word(std::string_view text);
template <>
std::optional<store::MaterialStanding> parse_word(std::string_view text);
template <>
std::optional<store::CustodyKeyState> parse_word(std::string_view text);
template <>
std::optional<store::CredentialStatus> parse_word(std::string_view text);
template <>
std::optional<store::ContextConstraint> parse_word(std::string_view text);

}  // namespace keyhold
