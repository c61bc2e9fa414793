// The script and the trace of the fault module, which reads their names once in a process.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/support/temporary_folder.h"

namespace keyhold::test {

class FaultFiles {
 public:
  static FaultFiles& of_process();

  /// From the next call on, calls are counted from 1 and meet these faults.
  void set_script(std::string_view text);
  void no_faults() { set_script(""); }

  void forget_calls();
  /// Calls in the trace since forget_calls: of one function, or of all.
  std::size_t calls(std::string_view function = {}) const;

 private:
  FaultFiles();

  const TemporaryFolder folder_;
};

}  // namespace keyhold::test
