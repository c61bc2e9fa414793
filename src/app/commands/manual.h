// Man pages and bash completion, from the same definitions as `--help`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace keyhold::app {

/// One page of section 1 for each command, `keyhold-serve.1` and so on, and `keyhold.1`, into the
/// folder; whether they could be written.
enum class Written : std::uint8_t { kNo, kYes };
Written write_manual(const CLI::App& cli, std::string_view version, const std::string& folder);

/// A function for bash-completion that knows commands and options, and offers files for values.
std::string print_completion(const CLI::App& cli);

}  // namespace keyhold::app
