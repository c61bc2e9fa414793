// The measurements as tables in Markdown, for the terminal and for docs/performance.md.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comparison.h"
#include "growth.h"
#include "key_use_costs.h"

namespace keyhold::bench {

std::string comparison_table(const std::vector<Compared>& compared);
/// CPU of a request under 64 connections, told apart by operations that end earlier.
std::string layer_table(const std::vector<Compared>& compared);
std::string growth_table(const std::vector<Grown>& grown);
std::string key_use_table(const std::vector<KeyUseCost>& costs);
std::string generation_table(const std::vector<BesideGeneration>& measured);

struct Named {
  std::string name;
  double value = 0;
};
std::string list_table(const std::string& first, const std::string& second,
                       const std::vector<Named>& rows, int digits);

/// The bench's last line: what survives a busy machine.
std::string verdict(const std::vector<Compared>& compared);

/// Puts the text between the document's two marks; throws where they are not there.
void write_document(const std::filesystem::path& document, const std::string& text);

}  // namespace keyhold::bench
