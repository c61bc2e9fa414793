// The CiphertextBlob: what Encrypt answers and Decrypt takes. docs/ciphertext-format.md describes
// it for readers without this code.
//
//   "KH" version · suite · key id (length, text) · key material id (32) · salt · header tag ·
//   IV length · IV · ciphertext · tag (16)
//
// Sizes of salt and header tag follow from the suite. The first byte is never 0x01, so that a
// ciphertext of AWS itself is told apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/vocabulary.h"

namespace keyhold::kms {

/// A blob taken apart; the views lie in the bytes it was parsed from.
struct CiphertextBlob {
  Construction construction = Construction::kEcbDerived;
  std::string_view key_id;
  ByteView material_id;  ///< 32 bytes
  ByteView salt;
  ByteView header_tag;
  ByteView
      header;  ///< everything before the IV: what the additional authenticated data begins with
  ByteView iv;
  ByteView ciphertext_and_tag;
};

/// Nothing if the bytes are not a blob of a version and suite that this program reads.
std::optional<CiphertextBlob> parse_ciphertext_blob(ByteView blob);

/// The blob's beginning, up to and including the IV's length.
Bytes ciphertext_header(Construction construction, std::string_view key_id, ByteView material_id,
                        ByteView salt, ByteView header_tag, std::size_t iv_size);

/// What every additional authenticated data starts with; the blob's header and the encryption
/// context follow. The IV is not part of it: GCM binds the IV by itself, and a token that draws its
/// own IV could not be given it beforehand.
inline constexpr std::string_view kMessageDomain = "keyhold message 1";

}  // namespace keyhold::kms
