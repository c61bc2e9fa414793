// A header field of a request, as it came.
#pragma once

#include <string_view>

namespace keyhold {

/// Name and value of one field line. The name keeps its case; the value is without the white space
/// around it. Views into the request they were read from. A list of them is in order of arrival,
/// with a name that came twice in it twice.
struct Header {
  std::string_view name;
  std::string_view value;
};

}  // namespace keyhold
