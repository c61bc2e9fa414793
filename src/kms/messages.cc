#include "kms/messages.h"

#include <array>
#include <utility>

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

std::shared_ptr<InvocationCounter::Block> InvocationCounter::block_of(const ObjectName& name) {
  const Blocks& known = blocks_.read();
  if (const auto found = known.find(name); found != known.end()) return found->second;
  const std::lock_guard lock(adding_);
  auto next = std::make_shared<Blocks>(*blocks_.latest());
  auto block = next->try_emplace(name, std::make_shared<Block>()).first->second;
  blocks_.publish(std::move(next));
  return block;
}

std::uint64_t InvocationCounter::counted(const ObjectName& material) const {
  const Blocks& known = blocks_.read();
  const auto found = known.find(material);
  return found == known.end() ? 0 : found->second->next.load();
}

std::optional<std::uint64_t> InvocationCounter::take(Block& block) {
  std::uint64_t next = block.next.load();
  // `end` is raised after `next` has moved to the new block, so a pair of old and new takes
  // nothing: the exchange fails.
  while (next < block.end.load()) {
    // What lies beyond the limit is seen again and again, and never taken.
    if (next >= kLimit) return next;
    if (block.next.compare_exchange_weak(next, next + 1)) return next;
  }
  return std::nullopt;
}

Result<void> InvocationCounter::reserve(Block& block, const ObjectName& name) {
  const std::lock_guard lock(block.reserving);
  if (block.next.load() < block.end.load()) return {};  // another thread was here before
  TRY_ASSIGN(const std::uint64_t before, store_.reserve_invocations(name, kBlock));
  block.next.store(before);
  block.end.store(before + kBlock);
  return {};
}

Result<void> InvocationCounter::count(const Key& key, const KeyMaterial& material) {
  const ObjectName& name = material.record.object_name;
  const std::shared_ptr<Block> block = block_of(name);
  std::optional<std::uint64_t> taken = take(*block);
  while (!taken) {
    TRY(reserve(*block, name));
    taken = take(*block);
  }
  if (*taken >= kLimit) {
    return Error(ErrorCode::kKmsInvalidState,
                 key.arn() +
                     " has encrypted as many messages as its key material may. Rotate the "
                     "key to go on encrypting; everything encrypted so far can be "
                     "decrypted.");
  }
  return {};
}

Result<Encrypted> Messages::encrypt(const Key& key, ByteView plaintext,
                                    const EncryptionContext& context) {
  const KeyMaterial& material = key.current_material();
  if (material.record.construction == Construction::kDirect) {
    TRY(invocations_.count(key, material));
  }
  TRY_ASSIGN(const auto message_key, token_.encryption_key(material.use));

  std::array<std::uint8_t, token::kMaxGcmIvSize> room;
  const auto iv = std::span(room).first(token_.iv_size());
  random_.fill(iv);
  Bytes blob = ciphertext_header(message_key->construction(), key.id(), material.material_id,
                                 message_key->salt(), message_key->header_tag(), iv.size());
  const Bytes data = additional_data(blob, context);
  TRY_ASSIGN(const Bytes ciphertext, token_.encrypt(*message_key, iv, data, plaintext));
  append(blob, iv);
  append(blob, ciphertext);
  material.note_use();
  return Encrypted{std::move(blob), material.record.material_id};
}

Result<Decrypted> Messages::decrypt(const Key& key, const CiphertextBlob& blob,
                                    const EncryptionContext& context) {
  const KeyMaterial* material = key.find_material(blob.material_id);
  if (material == nullptr || blob.key_id != key.id() ||
      blob.construction != material->record.construction || !token::is_iv_size(blob.iv.size())) {
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
