// What keeps secrets inside the process: no core dumps, no swap, no reading by others of one user.
#pragma once

namespace keyhold::app {

/// Called once, first thing. Core dumps are off and new files private; where the process may lock
/// memory without a limit all of it is kept out of swap. (Sanitizers need a dumpable process.)
void harden_process();

}  // namespace keyhold::app
