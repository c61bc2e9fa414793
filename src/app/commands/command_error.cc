#include "app/commands/command_error.h"

#include <iostream>
#include <string>

namespace keyhold::app {

int report_error(const Error& error) {
  std::cerr << "keyhold: "
            << (error.message().empty() ? std::string(error_row(error.code()).wire_name)
                                        : error.message());
  if (!error.detail().empty()) std::cerr << " (" << error.detail() << ")";
  std::cerr << "\n";
  return error.code() == ErrorCode::kValidation ? kExitUsersFault : kExitFailed;
}

}  // namespace keyhold::app
