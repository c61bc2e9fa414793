#include "app/hardening.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "base/log.h"

namespace keyhold::app {

void harden_process() {
  ::umask(0077);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::signal(SIGPIPE, SIG_IGN);
  // A file that may not grow is an error of the write, as a full disk is.
  ::signal(SIGXFSZ, SIG_IGN);
#ifndef KEYHOLD_SANITIZED
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // With a limit in force, locking all future memory would turn growth into failure.
  rlimit locked{};
  if (::getrlimit(RLIMIT_MEMLOCK, &locked) == 0 && locked.rlim_cur == RLIM_INFINITY) {
    if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
      log::info("memory cannot be locked here; keep swap off or encrypted");
    }
  }
#endif
}

}  // namespace keyhold::app
