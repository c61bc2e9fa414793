#include "app/key_sources.h"

#include "app/data_folder.h"
#include "app/https_key_fetcher.h"

namespace keyhold::app {

Result<std::shared_ptr<sts::KeySource>> KeySources::open(std::string_view place,
                                                         const std::filesystem::path& folder,
                                                         std::string_view authorities) {
  const bool is_address = place.find("://") != std::string_view::npos;
  if (is_address && !place.starts_with("https://")) {
    return Error(ErrorCode::kValidation, "keys are fetched over https:// alone");
  }
  if (!is_address) {
    if (!authorities.empty()) {
      return Error(ErrorCode::kValidation,
                   "certificateAuthorities go with the address of a key set, and keys is a file");
    }
    TRY_ASSIGN(const std::string text, read_file(folder / std::string(place)));
    TRY_ASSIGN(auto keys, sts::KeySet::parse(text));
    return std::shared_ptr<sts::KeySource>(std::make_shared<sts::FixedKeys>(std::move(keys)));
  }
  std::filesystem::path certificates;
  if (!authorities.empty()) {
    certificates = folder / std::string(authorities);
    TRY(read_file(certificates));
  }
  std::weak_ptr<sts::KeySource>& known = opened_[{std::string(place), certificates}];
  if (auto source = known.lock()) return source;
  const std::shared_ptr<sts::KeySource> source = std::make_shared<sts::FetchedKeys>(
      std::make_unique<HttpsKeyFetcher>(std::string(place), certificates), clock_);
  known = source;
  return source;
}

}  // namespace keyhold::app
