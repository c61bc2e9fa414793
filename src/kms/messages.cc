#include "kms/messages.h"

#include <array>

namespace keyhold::kms {
namespace {

Bytes additional_data(ByteView header, const EncryptionContext& context) {
  Bytes data;
  data.reserve(kMessageDomain.size() + header.size() + 64);
  append(data, as_bytes(kMessageDomain));
  append(data, header);
  context.append_canonical(data);
  return data;
}

}  // namespace

Result<void> InvocationCounter::count(const Key& key, const KeyMaterial& material) {
  const std::lock_guard lock(mutex_);
  Block& block = blocks_[material.record.object_name];
  if (block.used == kBlock) {
    TRY_ASSIGN(block.before, store_.reserve_invocations(material.record.object_name, kBlock));
    block.used = 0;
  }
  if (block.before + block.used >= kLimit) {
    return Error(ErrorCode::kKmsInvalidState,
                 key.arn() +
                     " has encrypted as many messages as its key material may. Rotate the "
                     "key to go on encrypting; everything encrypted so far can be "
                     "decrypted.");
  }
  ++block.used;
  return {};
}

Result<Encrypted> Messages::encrypt(const Key& key, ByteView plaintext,
                                    const EncryptionContext& context) {
  const KeyMaterial& material = key.current_material();
  if (material.record.construction == Construction::kDirect) {
    TRY(invocations_.count(key, material));
  }
  TRY_ASSIGN(const auto message_key, token_.encryption_key(material.use));

  std::array<std::uint8_t, token::kGcmIvSize> iv;
  random_.fill(iv);
  Bytes blob = ciphertext_header(message_key->construction(), key.id(), material.material_id,
                                 message_key->salt(), message_key->header_tag(), iv.size());
  const Bytes data = additional_data(blob, context);
  TRY_ASSIGN(const Bytes ciphertext, token_.encrypt(*message_key, iv, data, plaintext));
  append(blob, iv);
  append(blob, ciphertext);
  return Encrypted{std::move(blob), material.record.material_id};
}

Result<Decrypted> Messages::decrypt(const Key& key, const CiphertextBlob& blob,
                                    const EncryptionContext& context) {
  const KeyMaterial* material = key.find_material(blob.material_id);
  if (material == nullptr || blob.key_id != key.id() ||
      blob.construction != material->record.construction || blob.iv.size() != token::kGcmIvSize) {
    return Error(ErrorCode::kInvalidCiphertext);
  }
  TRY_ASSIGN(const auto message_key,
             token_.decryption_key(material->use, blob.salt, blob.header_tag));
  TRY_ASSIGN(Secret plaintext,
             token_.decrypt(*message_key, blob.iv, additional_data(blob.header, context),
                            blob.ciphertext_and_tag));
  return Decrypted{std::move(plaintext), material->record.material_id};
}

}  // namespace keyhold::kms
