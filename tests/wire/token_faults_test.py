#!/usr/bin/env python3
"""Bad days: a token that fails, hangs and goes away, and ciphertexts that are none.

Needs nothing but Python.
"""

import json
import os
import random
import time
import unittest

import service
import signing
from expectations import current_material
from service import ServiceCase
from signing import blob


class TokenFaults(ServiceCase):
    """What callers see when the token fails, through the fault module."""

    service_class = service.FaultyService
    settings = {"token.deadline": "1s"}

    def tearDown(self):
        self.service.fault()

    def test_a_token_that_does_not_answer_in_time_is_a_dependency_timeout_and_changes_nothing(self):
        key = self.new_key()["KeyId"]
        self.service.fault("* * delay:2500")
        self.refused("DependencyTimeoutException", "RotateKeyOnDemand", KeyId=key)
        self.service.fault()
        time.sleep(6)  # what the token was busy with is over
        self.assertEqual(self.rotations(key), [])
        self.assertNotIn(
            "OnDemandRotationStartDate", self.kms.call("GetKeyRotationStatus", KeyId=key)
        )
        self.kms.call("RotateKeyOnDemand", KeyId=key)
        self.assertEqual(len(self.rotations(key)), 1)

    def test_a_rotation_that_was_begun_in_time_goes_on_after_its_answer(self):
        key = self.new_key()
        old = self.kms.encrypt(key["KeyId"], b"old")
        self.service.fault("C_GenerateKey * delay:2500")
        self.assertEqual(
            self.kms.call("RotateKeyOnDemand", KeyId=key["KeyId"]), {"KeyId": key["Arn"]}
        )
        self.assertIn(
            "OnDemandRotationStartDate", self.kms.call("GetKeyRotationStatus", KeyId=key["KeyId"])
        )
        # Until it is done the old material encrypts, and no other rotation begins.
        self.assertEqual(
            current_material(self.kms, self.kms.encrypt(key["KeyId"], b"x")),
            key["CurrentKeyMaterialId"],
        )
        self.refused("ConflictException", "RotateKeyOnDemand", KeyId=key["KeyId"])
        self.wait_for_rotations(key["KeyId"], 1)
        self.assertNotIn(
            "OnDemandRotationStartDate", self.kms.call("GetKeyRotationStatus", KeyId=key["KeyId"])
        )
        self.assertEqual(self.kms.decrypt(old), b"old")

    def test_a_token_that_fails_is_an_internal_error_and_the_rotation_is_whole_or_not_there(self):
        key = self.new_key()["KeyId"]
        ciphertext = self.kms.encrypt(key, b"old")
        for failure in ("CKR_GENERAL_ERROR", "CKR_DEVICE_MEMORY", "CKR_FUNCTION_FAILED"):
            with self.subTest(failure):
                before = len(self.rotations(key))
                self.service.fault(f"C_GenerateKey * {failure}")
                self.refused("KMSInternalException", "RotateKeyOnDemand", KeyId=key)
                self.service.fault()
                self.assertEqual(self.kms.decrypt(ciphertext), b"old")
                deadline = time.monotonic() + 60
                while True:  # an intent that could not be withdrawn is taken up again
                    try:
                        self.kms.call("RotateKeyOnDemand", KeyId=key)
                        break
                    except signing.KmsError as error:
                        self.assertEqual(error.code, "ConflictException")
                        self.assertLess(time.monotonic(), deadline)
                        time.sleep(0.1)
                self.assertIn(len(self.rotations(key)) - before, (1, 2))

    def test_a_token_that_goes_away_is_answered_fast_and_comes_back_without_a_restart(self):
        key = self.new_key()["KeyId"]
        ciphertext = self.kms.encrypt(key, b"kept")
        self.service.fault("* * CKR_DEVICE_REMOVED")
        try:
            for _ in range(5):
                began = time.monotonic()
                with self.assertRaises(signing.KmsError) as caught:
                    self.kms.decrypt(ciphertext)
                self.assertIn(
                    caught.exception.code, ("KMSInternalException", "KeyUnavailableException")
                )
                self.assertEqual(caught.exception.status, 500)
                self.assertLess(time.monotonic() - began, 5)
            # What needs no token still answers.
            self.assertEqual(self.kms.call("DescribeKey", KeyId=key)["KeyMetadata"]["KeyId"], key)
        finally:
            self.service.fault()
        deadline = time.monotonic() + 60
        while True:
            try:
                self.assertEqual(self.kms.decrypt(ciphertext), b"kept")
                break
            except signing.KmsError:
                self.assertLess(time.monotonic(), deadline, "the token is not found again")
                time.sleep(0.1)

    def test_a_flood_of_forged_ciphertexts_costs_no_derivation_and_no_memory(self):
        key = self.new_key()["KeyId"]
        genuine = self.kms.encrypt(key, b"genuine", EncryptionContext={"a": "b"})
        self.kms.decrypt(genuine, EncryptionContext={"a": "b"})
        salt = 4 + 1 + genuine[4] + 32  # magic and version, suite, key id, material id
        tail = salt + 15 + 16
        maker = random.Random(20231)

        def forgery():
            """Another salt or header tag: what a decryption would have to derive for."""
            forged = bytearray(genuine)
            kind = maker.randrange(3)
            if kind == 0:
                forged[salt : salt + 15] = maker.randbytes(15)
            elif kind == 1:
                forged[salt:tail] = maker.randbytes(tail - salt)
            else:
                forged[salt + maker.randrange(tail - salt)] ^= 1 << maker.randrange(8)
            return bytes(forged)

        def flood(count):
            for _ in range(count):
                answer = self.kms.post(
                    "Decrypt",
                    json.dumps(
                        {"CiphertextBlob": blob(forgery()), "EncryptionContext": {"a": "b"}}
                    ).encode(),
                )
                self.assertEqual(
                    (answer.status, answer.body), (400, b'{"__type":"InvalidCiphertextException"}')
                )

        flood(1000)  # caches and arenas find their size
        derivations = self.service.calls("C_DeriveKey")
        memory = self.service.memory()
        flood(1000 if service.IS_SLOW else 10000)
        self.assertEqual(self.service.calls("C_DeriveKey"), derivations)
        if not service.IS_SLOW:
            self.assertLess(self.service.memory() - memory, 2048)
        self.assertEqual(self.kms.decrypt(genuine, EncryptionContext={"a": "b"}), b"genuine")


class ForgedCiphertexts(ServiceCase):
    def test_no_blob_with_a_changed_bit_or_a_missing_end_decrypts(self):
        key = self.new_key()["KeyId"]
        genuine = self.kms.encrypt(key, b"genuine")
        codes = set()
        for position in range(len(genuine)):
            forged = bytearray(genuine)
            forged[position] ^= 1 << (position % 8)
            with self.assertRaises(signing.KmsError) as caught:
                self.kms.decrypt(bytes(forged))
            codes.add(caught.exception.code)
        for length in range(1, len(genuine)):
            self.assertEqual(
                self.refused(
                    "InvalidCiphertextException", "Decrypt", CiphertextBlob=blob(genuine[:length])
                ),
                "",
            )
        # A changed key id names a key that is not there.
        self.assertEqual(codes, {"InvalidCiphertextException", "AccessDeniedException"})
        self.assertEqual(self.kms.decrypt(genuine), b"genuine")

    def test_a_ciphertext_of_aws_itself_is_an_invalid_ciphertext(self):
        self.new_key()
        aws = bytes.fromhex("0102030078") + os.urandom(180)
        self.refused("InvalidCiphertextException", "Decrypt", CiphertextBlob=blob(aws))


if __name__ == "__main__":
    unittest.main()
