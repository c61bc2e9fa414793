// The service through the AWS SDK for JavaScript, unmodified: it is given what its environment says
// (AWS_ENDPOINT_URL_KMS, AWS_REGION and an access key) and nothing else.
import assert from "node:assert/strict";
import test from "node:test";

import {
  CreateKeyCommand, DecryptCommand, DisableKeyCommand, DisabledException, EncryptCommand,
  GenerateDataKeyCommand, KMSClient, LimitExceededException, NotFoundException,
  RotateKeyOnDemandCommand, ScheduleKeyDeletionCommand, KMSInvalidStateException,
  paginateListKeyRotations,
} from "@aws-sdk/client-kms";

const kms = new KMSClient({ maxAttempts: 1 });
const bytes = (text) => new TextEncoder().encode(text);
const newKey = async () => (await kms.send(new CreateKeyCommand({}))).KeyMetadata;

test("ten rotations leave eleven ciphertexts that decrypt, and an eleventh is refused", async () => {
  const key = await newKey();
  const ciphertexts = [];
  for (let number = 0; number <= 10; ++number) {
    if (number > 0) {
      const answer = await kms.send(new RotateKeyOnDemandCommand({ KeyId: key.KeyId }));
      assert.equal(answer.KeyId, key.Arn);
    }
    const encrypted = await kms.send(new EncryptCommand({
      KeyId: key.KeyId, Plaintext: bytes(`message ${number}`),
      EncryptionContext: { number: String(number) },
    }));
    ciphertexts.push(encrypted.CiphertextBlob);
  }
  for (const [number, CiphertextBlob] of ciphertexts.entries()) {
    const answer = await kms.send(new DecryptCommand({
      CiphertextBlob, EncryptionContext: { number: String(number) },
    }));
    assert.deepEqual(answer.Plaintext, bytes(`message ${number}`));
  }
  await assert.rejects(kms.send(new RotateKeyOnDemandCommand({ KeyId: key.KeyId })),
                       LimitExceededException);
  const rows = [];
  for await (const page of paginateListKeyRotations({ client: kms, pageSize: 4 },
                                                    { KeyId: key.KeyId })) {
    rows.push(...page.Rotations);
  }
  assert.deepEqual(rows.map((row) => row.RotationType), Array(10).fill("ON_DEMAND"));
  assert.ok(rows.every((row) => row.RotationDate instanceof Date));
});

test("a data key is what its ciphertext decrypts to", async () => {
  const key = await newKey();
  const made = await kms.send(new GenerateDataKeyCommand({ KeyId: key.Arn, KeySpec: "AES_256" }));
  const answer = await kms.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob }));
  assert.deepEqual(answer.Plaintext, made.Plaintext);
});

test("each error is of its class", async () => {
  const rotate = (KeyId) => kms.send(new RotateKeyOnDemandCommand({ KeyId }));
  await assert.rejects(rotate("11111111-2222-4333-8444-555555555555"), NotFoundException);
  const key = await newKey();
  await kms.send(new DisableKeyCommand({ KeyId: key.KeyId }));
  await assert.rejects(rotate(key.KeyId), DisabledException);
  await kms.send(new ScheduleKeyDeletionCommand({ KeyId: key.KeyId }));
  await assert.rejects(rotate(key.KeyId), KMSInvalidStateException);
});
