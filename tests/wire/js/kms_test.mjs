// The service through the AWS SDK for JavaScript, unmodified: it is given what its environment says
// (AWS_ENDPOINT_URL_KMS, AWS_REGION and an access key) and nothing else.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import test from "node:test";

import {
  CreateKeyCommand, DecryptCommand, DeleteImportedKeyMaterialCommand, DeriveSharedSecretCommand,
  DisableKeyCommand, DisabledException, EncryptCommand, GenerateDataKeyCommand, GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand, GenerateMacCommand,
  GetParametersForImportCommand, GetPublicKeyCommand, ImportKeyMaterialCommand,
  IncorrectKeyMaterialException, KMSClient, KMSInvalidMacException, KMSInvalidSignatureException, KMSInvalidStateException,
  LimitExceededException, NotFoundException, ReEncryptCommand, RotateKeyOnDemandCommand, ScheduleKeyDeletionCommand,
  SignCommand, VerifyCommand, VerifyMacCommand, paginateListKeyRotations,
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

const newKeyOf = async (KeySpec, KeyUsage) =>
  (await kms.send(new CreateKeyCommand({ KeySpec, KeyUsage }))).KeyMetadata.KeyId;
const publicKey = async (KeyId) => crypto.createPublicKey({
  key: Buffer.from((await kms.send(new GetPublicKeyCommand({ KeyId }))).PublicKey),
  format: "der", type: "spki",
});

test("what is signed verifies with node's own crypto", async () => {
  const Message = bytes("attack at dawn");
  const pss = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  for (const [spec, SigningAlgorithm, digest, options] of [
    ["RSA_2048", "RSASSA_PSS_SHA_256", "sha256", pss],
    ["RSA_2048", "RSASSA_PKCS1_V1_5_SHA_384", "sha384", {}],
    ["ECC_NIST_P384", "ECDSA_SHA_384", "sha384", {}],
    ["ECC_SECG_P256K1", "ECDSA_SHA_256", "sha256", {}],
    ["ECC_NIST_EDWARDS25519", "ED25519_SHA_512", null, {}],
  ]) {
    const KeyId = await newKeyOf(spec, "SIGN_VERIFY");
    const { Signature } = await kms.send(new SignCommand({ KeyId, Message, SigningAlgorithm }));
    assert.ok(crypto.verify(digest, Message, { key: await publicKey(KeyId), ...options },
                            Signature), SigningAlgorithm);
    const verify = (message) => kms.send(new VerifyCommand({
      KeyId, Message: message, SigningAlgorithm, Signature }));
    assert.equal((await verify(Message)).SignatureValid, true);
    await assert.rejects(verify(bytes("another")), KMSInvalidSignatureException);
  }
});

test("a MAC verifies, and a wrong one is of its class", async () => {
  const KeyId = await newKeyOf("HMAC_512", "GENERATE_VERIFY_MAC");
  const request = { KeyId, Message: bytes("m"), MacAlgorithm: "HMAC_SHA_512" };
  const { Mac } = await kms.send(new GenerateMacCommand(request));
  assert.equal((await kms.send(new VerifyMacCommand({ ...request, Mac }))).MacValid, true);
  Mac[0] ^= 1;
  await assert.rejects(kms.send(new VerifyMacCommand({ ...request, Mac })),
                       KMSInvalidMacException);
});

test("both sides of a key agreement have one secret", async () => {
  const KeyId = await newKeyOf("ECC_NIST_P256", "KEY_AGREEMENT");
  const peer = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const answer = await kms.send(new DeriveSharedSecretCommand({
    KeyId, KeyAgreementAlgorithm: "ECDH",
    PublicKey: peer.publicKey.export({ format: "der", type: "spki" }),
  }));
  const theirs = crypto.diffieHellman({ privateKey: peer.privateKey,
                                        publicKey: await publicKey(KeyId) });
  assert.deepEqual(Buffer.from(answer.SharedSecret), theirs);
});

test("RSA decrypts what node encrypted", async () => {
  const KeyId = await newKeyOf("RSA_2048", "ENCRYPT_DECRYPT");
  for (const [EncryptionAlgorithm, oaepHash] of [["RSAES_OAEP_SHA_1", "sha1"],
                                                 ["RSAES_OAEP_SHA_256", "sha256"]]) {
    const CiphertextBlob = crypto.publicEncrypt({ key: await publicKey(KeyId), oaepHash },
                                                bytes("attack at dawn"));
    const answer = await kms.send(new DecryptCommand({
      KeyId, CiphertextBlob, EncryptionAlgorithm }));
    assert.deepEqual(answer.Plaintext, bytes("attack at dawn"));
  }
});

test("data key pairs load, and decrypt to themselves", async () => {
  const key = await newKey();
  const made = await kms.send(new GenerateDataKeyPairCommand({
    KeyId: key.KeyId, KeyPairSpec: "ECC_NIST_P256" }));
  const loaded = crypto.createPrivateKey({ key: Buffer.from(made.PrivateKeyPlaintext),
                                           format: "der", type: "pkcs8" });
  assert.deepEqual(crypto.createPublicKey(loaded).export({ format: "der", type: "spki" }),
                   Buffer.from(made.PublicKey));
  const opened = await kms.send(new DecryptCommand({
    CiphertextBlob: made.PrivateKeyCiphertextBlob }));
  assert.deepEqual(opened.Plaintext, made.PrivateKeyPlaintext);
  const quiet = await kms.send(new GenerateDataKeyPairWithoutPlaintextCommand({
    KeyId: key.KeyId, KeyPairSpec: "ECC_NIST_P256" }));
  assert.equal(quiet.PrivateKeyPlaintext, undefined);
});

test("a ciphertext moves to another key, of another kind too", async () => {
  const from = await newKey();
  const to = await newKeyOf("RSA_2048", "ENCRYPT_DECRYPT");
  const { CiphertextBlob } = await kms.send(new EncryptCommand({
    KeyId: from.KeyId, Plaintext: bytes("attack at dawn") }));
  const there = await kms.send(new ReEncryptCommand({
    CiphertextBlob, DestinationKeyId: to, DestinationEncryptionAlgorithm: "RSAES_OAEP_SHA_256" }));
  const back = await kms.send(new ReEncryptCommand({
    CiphertextBlob: there.CiphertextBlob, SourceKeyId: to,
    SourceEncryptionAlgorithm: "RSAES_OAEP_SHA_256", DestinationKeyId: from.KeyId,
    DestinationEncryptionContext: { moved: "back" } }));
  assert.equal(back.KeyId, from.Arn);
  const opened = await kms.send(new DecryptCommand({
    CiphertextBlob: back.CiphertextBlob, EncryptionContext: { moved: "back" } }));
  assert.deepEqual(opened.Plaintext, bytes("attack at dawn"));
});

test("imported key material comes, goes, and comes back", async () => {
  const key = (await kms.send(new CreateKeyCommand({ Origin: "EXTERNAL" }))).KeyMetadata;
  assert.equal(key.KeyState, "PendingImport");
  const parameters = await kms.send(new GetParametersForImportCommand({
    KeyId: key.KeyId, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_3072" }));
  assert.ok(parameters.ParametersValidTo > new Date());
  const wrappingKey = crypto.createPublicKey({
    key: Buffer.from(parameters.PublicKey), format: "der", type: "spki" });
  const importMaterial = (material) => kms.send(new ImportKeyMaterialCommand({
    KeyId: key.KeyId, ImportToken: parameters.ImportToken,
    ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
    EncryptedKeyMaterial: crypto.publicEncrypt({ key: wrappingKey, oaepHash: "sha256" }, material),
  }));
  const material = crypto.randomBytes(32);
  await importMaterial(material);
  const { CiphertextBlob } = await kms.send(new EncryptCommand({
    KeyId: key.KeyId, Plaintext: bytes("attack at dawn") }));
  await kms.send(new DeleteImportedKeyMaterialCommand({ KeyId: key.KeyId }));
  await assert.rejects(kms.send(new DecryptCommand({ CiphertextBlob })), KMSInvalidStateException);
  await assert.rejects(importMaterial(crypto.randomBytes(32)), IncorrectKeyMaterialException);
  await importMaterial(material);
  const opened = await kms.send(new DecryptCommand({ CiphertextBlob }));
  assert.deepEqual(opened.Plaintext, bytes("attack at dawn"));
});
