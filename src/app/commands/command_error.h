// How a command of the process's own ends.
#pragma once

#include "base/error.h"

namespace keyhold::app {

inline constexpr int kExitFailed = 1;
/// Something an operator must mend: starting it again changes nothing (the unit's
/// RestartPreventExitStatus).
inline constexpr int kExitUsersFault = 2;
/// The service wants to be started again (EX_TEMPFAIL).
inline constexpr int kExitRestart = 75;

/// Prints the sentence to standard error; the exit code.
int report_error(const Error& error);

}  // namespace keyhold::app
