#include "tests/support/places.h"

namespace keyhold::test {

std::string source_folder() { return KEYHOLD_SOURCE_DIR; }

std::string fault_module() { return KEYHOLD_FAULT_PATH; }

}  // namespace keyhold::test
