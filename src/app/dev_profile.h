// hsm-config/softhsm-2.6.toml, as it was when the program was built.
#pragma once

#include <string_view>

namespace keyhold::app {

extern const std::string_view kDevProfile;

}  // namespace keyhold::app
