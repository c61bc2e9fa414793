// Any bytes as a CiphertextBlob: parsed to nothing, or taken apart so that the parts are the whole.

#include <algorithm>
#include <cstdlib>

#include "kms/ciphertext_blob.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyhold;
  const ByteView bytes(data, size);
  const auto blob = kms::parse_ciphertext_blob(bytes);
  if (!blob) return 0;
  Bytes again = kms::ciphertext_header(blob->construction, blob->key_id, blob->material_id,
                                       blob->salt, blob->header_tag, blob->iv.size());
  if (!std::equal(again.begin(), again.end(), blob->header.begin(), blob->header.end()))
    std::abort();
  append(again, blob->iv);
  append(again, blob->ciphertext_and_tag);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) std::abort();
  return 0;
}
