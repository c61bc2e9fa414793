#include "app/run_as.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace keyhold::app {

Result<void> become_owner_of(const std::string& folder) {
  struct stat state {};
  if (::geteuid() != 0 || ::stat(folder.c_str(), &state) != 0 || state.st_uid == 0) return {};
  const passwd* user = ::getpwuid(state.st_uid);
  const bool done = user != nullptr && ::initgroups(user->pw_name, user->pw_gid) == 0 &&
                    ::setgid(user->pw_gid) == 0 && ::setuid(user->pw_uid) == 0;
  if (done) return {};
  return Error(ErrorCode::kValidation,
               "cannot become the owner of " + folder + ": " +
                   std::generic_category().message(user == nullptr ? ENOENT : errno));
}

}  // namespace keyhold::app
