#include "tests/support/fault_files.h"

#include <cstdlib>
#include <fstream>

#include "tests/support/places.h"

namespace keyhold::test {

FaultFiles& FaultFiles::of_process() {
  static FaultFiles files;
  return files;
}

FaultFiles::FaultFiles() {
  ::setenv("KEYHOLD_FAULT_MODULE", kSoftHsm, 1);
  ::setenv("KEYHOLD_FAULT_SCRIPT", folder_.file("script").c_str(), 1);
  ::setenv("KEYHOLD_FAULT_TRACE", folder_.file("trace").c_str(), 1);
  no_faults();
  forget_calls();
}

void FaultFiles::set_script(std::string_view text) {
  // By renaming, so that the module sees one script or the other, and always another file.
  const std::string draft = folder_.file("script.draft");
  // A module that stays initialised is not p11-kit's to finalise any more, and the next token of
  // this process would be looked for in the folder of the last.
  std::ofstream(draft, std::ios::trunc) << "C_Finalize * pass\n" << text;
  std::filesystem::rename(draft, folder_.file("script"));
}

void FaultFiles::forget_calls() { std::ofstream(folder_.file("trace"), std::ios::trunc).close(); }

std::size_t FaultFiles::calls(std::string_view function) const {
  std::ifstream file(folder_.file("trace"));
  std::string line;
  std::size_t count = 0;
  while (std::getline(file, line)) {
    if (function.empty() || line.starts_with(std::string(function) + " ")) ++count;
  }
  return count;
}

}  // namespace keyhold::test
