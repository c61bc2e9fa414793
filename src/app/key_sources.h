// The key sets of OpenID providers, opened once for each place that they come from.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "sts/key_source.h"

namespace keyhold::app {

/// Not for several threads at once.
class KeySources {
 public:
  /// `clock` must outlive it and what it opened.
  explicit KeySources(const Clock& clock) : clock_(clock) {}

  /// `place`: an `https://` address, or the path of a file, which is read now. `authorities`: the
  /// certificates to trust for the address; empty: the system's. An address that is still in use is
  /// not asked again because a file was read anew: the same source is answered. kValidation with a
  /// sentence for a file that cannot be read, an address of another scheme, and authorities of a
  /// file.
  Result<std::shared_ptr<sts::KeySource>> open(std::string_view place,
                                               const std::filesystem::path& folder,
                                               std::string_view authorities);

 private:
  using Place = std::pair<std::string, std::filesystem::path>;

  const Clock& clock_;
  std::map<Place, std::weak_ptr<sts::KeySource>> opened_;
};

}  // namespace keyhold::app
