#!/usr/bin/env python3
"""The main job, and every error of the RotateKeyOnDemand page that a symmetric key can cause.

Needs nothing but Python.
"""

import json
import threading
import unittest

import signing
from expectations import ACCOUNT, key_arn, LIMIT_TEXT, UNKNOWN_KEY
from service import ServiceCase
from signing import blob, unblob


class MainJob(ServiceCase):
    """A key is born, used and rotated, and decrypts what was encrypted under older materials."""

    def test_ten_rotations_leave_eleven_ciphertexts_that_decrypt_and_an_eleventh_is_refused(self):
        key = self.new_key()
        ciphertexts = [self.kms.encrypt(key["KeyId"], b"material 0")]
        for number in range(1, 11):
            answer = self.kms.call("RotateKeyOnDemand", KeyId=key["KeyId"])
            self.assertEqual(answer, {"KeyId": key["Arn"]})
            ciphertexts.append(self.kms.encrypt(key["KeyId"], b"material %d" % number))

        for number, ciphertext in enumerate(ciphertexts):
            self.assertEqual(self.kms.decrypt(ciphertext), b"material %d" % number)
        text = self.refused("LimitExceededException", "RotateKeyOnDemand", KeyId=key["KeyId"])
        self.assertEqual(text, LIMIT_TEXT + key["Arn"])

        rotations = self.rotations(key["KeyId"])
        self.assertEqual([row["RotationType"] for row in rotations], ["ON_DEMAND"] * 10)
        self.assertEqual(
            [row["KeyMaterialState"] for row in rotations], ["NON_CURRENT"] * 9 + ["CURRENT"]
        )
        dates = [row["RotationDate"] for row in rotations]
        self.assertEqual(dates, sorted(dates))
        # Each ciphertext names the material it was made under.
        named = [
            self.kms.call("Decrypt", CiphertextBlob=blob(ciphertext))["KeyMaterialId"]
            for ciphertext in ciphertexts
        ]
        self.assertEqual(named[0], key["CurrentKeyMaterialId"])
        self.assertEqual(named[1:], [row["KeyMaterialId"] for row in rotations])

        for end in (self.service.stop, self.service.kill):
            with self.subTest(end=end.__name__):
                end()
                self.kms.close()
                self.service.start()
                self.kms = self.service.client()
                for number, ciphertext in enumerate(ciphertexts):
                    self.assertEqual(self.kms.decrypt(ciphertext), b"material %d" % number)
                self.assertEqual(self.rotations(key["KeyId"]), rotations)
                self.refused("LimitExceededException", "RotateKeyOnDemand", KeyId=key["KeyId"])

    def test_everything_told_of_a_key_is_the_same_after_a_restart(self):
        key = self.new_key(Description="kept")["KeyId"]
        other = self.new_key()["KeyId"]
        self.kms.call("CreateAlias", AliasName="alias/kept", TargetKeyId=key)
        self.kms.call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=100)
        self.kms.call("RotateKeyOnDemand", KeyId=key)
        self.kms.call("ScheduleKeyDeletion", KeyId=other, PendingWindowInDays=9)

        def told():
            return [
                self.kms.call("DescribeKey", KeyId=key),
                self.kms.call("DescribeKey", KeyId=other),
                self.kms.call("GetKeyRotationStatus", KeyId=key),
                self.rotations(key),
                self.kms.call("ListAliases", KeyId=key),
                list(self.kms.pages("ListKeys", "Keys")),
            ]

        before = told()
        self.service.kill()
        self.restart()
        self.assertEqual(told(), before)

    def test_the_token_says_that_key_material_was_born_in_it_and_never_left(self):
        key = self.new_key()
        self.kms.call("RotateKeyOnDemand", KeyId=key["KeyId"])
        shown = self.service.inspect(key["KeyId"])
        self.assertEqual(shown["arn"], key["Arn"])
        self.assertEqual(
            [material["state"] for material in shown["materials"]], ["NON_CURRENT", "CURRENT"]
        )
        for material in shown["materials"]:
            said = material["token"]
            self.assertEqual(
                {
                    name: said[name]
                    for name in (
                        "CKA_LOCAL",
                        "CKA_SENSITIVE",
                        "CKA_ALWAYS_SENSITIVE",
                        "CKA_EXTRACTABLE",
                        "CKA_NEVER_EXTRACTABLE",
                    )
                },
                {
                    "CKA_LOCAL": True,
                    "CKA_SENSITIVE": True,
                    "CKA_ALWAYS_SENSITIVE": True,
                    "CKA_EXTRACTABLE": False,
                    "CKA_NEVER_EXTRACTABLE": True,
                },
            )
            self.assertEqual(material["checkValue"], "matches")

    def test_an_encryption_context_is_bound_whatever_the_order_of_its_pairs(self):
        key = self.new_key()["KeyId"]
        context = {"a": "1", "b": "2", "ü": "€"}
        ciphertext = self.kms.encrypt(key, b"x", EncryptionContext=context)
        turned = dict(reversed(list(context.items())))
        self.assertEqual(self.kms.decrypt(ciphertext, EncryptionContext=turned), b"x")
        for wrong in ({}, {"a": "1", "b": "2"}, {**context, "A": "1"}, {**context, "a": "2"}):
            self.assertEqual(
                self.refused(
                    "InvalidCiphertextException",
                    "Decrypt",
                    CiphertextBlob=blob(ciphertext),
                    EncryptionContext=wrong,
                ),
                "",
            )

    def test_data_keys_are_what_their_ciphertexts_decrypt_to(self):
        key = self.new_key()
        for wanted, size in (
            ({"KeySpec": "AES_256"}, 32),
            ({"KeySpec": "AES_128"}, 16),
            ({"NumberOfBytes": 1024}, 1024),
        ):
            answer = self.kms.call("GenerateDataKey", KeyId=key["Arn"], **wanted)
            self.assertEqual(set(answer), {"CiphertextBlob", "KeyId", "KeyMaterialId", "Plaintext"})
            self.assertEqual(answer["KeyId"], key["Arn"])
            self.assertEqual(len(unblob(answer["Plaintext"])), size)
            self.assertEqual(
                self.kms.decrypt(unblob(answer["CiphertextBlob"])), unblob(answer["Plaintext"])
            )
            silent = self.kms.call("GenerateDataKeyWithoutPlaintext", KeyId=key["KeyId"], **wanted)
            self.assertEqual(set(silent), {"CiphertextBlob", "KeyId", "KeyMaterialId"})
            self.assertEqual(len(self.kms.decrypt(unblob(silent["CiphertextBlob"]))), size)
        for unclear in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
            self.assertEqual(
                self.refused(
                    "ValidationException", "GenerateDataKey", KeyId=key["KeyId"], **unclear
                ),
                "Please specify either number of bytes or key spec.",
            )

    def test_reencryption_moves_a_ciphertext_to_another_key_and_context(self):
        first, second = self.new_key(), self.new_key()
        source = self.kms.encrypt(first["KeyId"], b"moved", EncryptionContext={"in": "1"})
        answer = self.kms.call(
            "ReEncrypt",
            CiphertextBlob=blob(source),
            SourceEncryptionContext={"in": "1"},
            DestinationKeyId=second["KeyId"],
            DestinationEncryptionContext={"out": "2"},
        )
        self.assertEqual((answer["SourceKeyId"], answer["KeyId"]), (first["Arn"], second["Arn"]))
        self.assertEqual(answer["SourceKeyMaterialId"], first["CurrentKeyMaterialId"])
        self.assertEqual(answer["DestinationKeyMaterialId"], second["CurrentKeyMaterialId"])
        moved = unblob(answer["CiphertextBlob"])
        self.assertEqual(self.kms.decrypt(moved, EncryptionContext={"out": "2"}), b"moved")
        self.refused(
            "IncorrectKeyException",
            "Decrypt",
            CiphertextBlob=blob(moved),
            KeyId=first["KeyId"],
            EncryptionContext={"out": "2"},
        )

    def test_a_dry_run_tells_that_it_would_have_succeeded_and_does_nothing(self):
        key = self.new_key()
        text = self.refused(
            "DryRunOperationException",
            "Encrypt",
            KeyId=key["KeyId"],
            Plaintext=blob(b"x"),
            DryRun=True,
        )
        self.assertEqual(text, "The request would have succeeded, but the DryRun option is set.")
        self.kms.call("DisableKey", KeyId=key["KeyId"])
        self.refused(
            "DisabledException", "Encrypt", KeyId=key["KeyId"], Plaintext=blob(b"x"), DryRun=True
        )

    def test_what_an_operation_answers_has_no_nulls_and_no_further_members(self):
        metadata = self.new_key()
        self.assertEqual(
            set(metadata),
            {
                "AWSAccountId",
                "Arn",
                "CreationDate",
                "CurrentKeyMaterialId",
                "CustomerMasterKeySpec",
                "Description",
                "Enabled",
                "EncryptionAlgorithms",
                "KeyId",
                "KeyManager",
                "KeySpec",
                "KeyState",
                "KeyUsage",
                "MultiRegion",
                "Origin",
            },
        )
        key = metadata["KeyId"]
        self.assertEqual(
            self.kms.call("GetKeyRotationStatus", KeyId=key),
            {"KeyId": key, "KeyRotationEnabled": False},
        )
        self.assertEqual(
            self.kms.call("ListKeyRotations", KeyId=key), {"Rotations": [], "Truncated": False}
        )
        self.assertEqual(
            set(self.kms.call("Encrypt", KeyId=key, Plaintext=blob(b"x"))),
            {"CiphertextBlob", "EncryptionAlgorithm", "KeyId"},
        )
        for operation in ("DisableKey", "EnableKey", "EnableKeyRotation", "DisableKeyRotation"):
            answer = self.kms.post(operation, json.dumps({"KeyId": key}).encode())
            self.assertEqual((answer.status, answer.body), (200, b""), operation)
            self.assertEqual(answer.headers["content-type"], signing.CONTENT_TYPE)

    def test_lists_are_complete_page_by_page_and_refuse_foreign_markers(self):
        keys = [self.new_key()["KeyId"] for _ in range(5)]
        for number, key in enumerate(keys):
            self.kms.call("CreateAlias", AliasName=f"alias/page-{number}", TargetKeyId=key)
        whole = [entry["KeyId"] for entry in self.kms.call("ListKeys", Limit=1000)["Keys"]]
        paged = [entry["KeyId"] for entry in self.kms.pages("ListKeys", "Keys", Limit=2)]
        self.assertEqual(paged, whole)
        self.assertLessEqual(set(keys), set(paged))
        aliases = [
            entry["AliasName"] for entry in self.kms.pages("ListAliases", "Aliases", Limit=2)
        ]
        self.assertEqual(len(aliases), len(set(aliases)))
        self.assertLessEqual({f"alias/page-{number}" for number in range(5)}, set(aliases))

        marker = self.kms.call("ListKeys", Limit=1)["NextMarker"]
        self.refused("InvalidMarkerException", "ListAliases", Marker=marker)
        self.refused("InvalidMarkerException", "ListKeys", Marker="made up")

    def test_an_alias_is_a_name_that_moves_and_ciphertexts_stay_with_their_key(self):
        first, second = self.new_key()["KeyId"], self.new_key()["KeyId"]
        name = "alias/moving"
        self.kms.call("CreateAlias", AliasName=name, TargetKeyId=first)
        ciphertext = self.kms.encrypt(name, b"x")
        self.assertEqual(
            self.refused(
                "AlreadyExistsException", "CreateAlias", AliasName=name, TargetKeyId=second
            ),
            f"An alias with the name arn:aws:kms:us-east-1:{ACCOUNT}:{name} already exists",
        )
        self.kms.call("UpdateAlias", AliasName=name, TargetKeyId=second)
        self.assertEqual(self.kms.decrypt(ciphertext), b"x")
        self.refused(
            "IncorrectKeyException", "Decrypt", CiphertextBlob=blob(ciphertext), KeyId=name
        )
        self.kms.call("DeleteAlias", AliasName=name)
        self.assertEqual(
            self.refused("NotFoundException", "DescribeKey", KeyId=name),
            f"Alias arn:aws:kms:us-east-1:{ACCOUNT}:{name} is not found.",
        )

    def test_what_is_not_implemented_is_refused_by_name_and_never_ignored(self):
        for members, name in (
            ({"MultiRegion": True}, "Multi-Region"),
            ({"CustomKeyStoreId": "cks-1234"}, "Custom key stores"),
            ({"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"}, "ML_DSA_44"),
            ({"Origin": "EXTERNAL_KEY_STORE"}, "EXTERNAL_KEY_STORE"),
        ):
            self.assertIn(
                name, self.refused("UnsupportedOperationException", "CreateKey", **members)
            )
        # What asks for nothing is no reason to refuse: clients send it as a default.
        self.new_key(MultiRegion=False, BypassPolicyLockoutSafetyCheck=False, Tags=[])
        text = self.refused(
            "UnsupportedOperationException", "ReplicateKey", KeyId=UNKNOWN_KEY, ReplicaRegion="x"
        )
        self.assertIn("ReplicateKey", text)
        self.refused("UnknownOperationException", "MakeCoffee")
        self.assertEqual(
            self.kms.call("DescribeCustomKeyStores"), {"CustomKeyStores": [], "Truncated": False}
        )


class RotationErrors(ServiceCase):
    """Each error of the RotateKeyOnDemand page, caused by what the page says causes it. Its limit
    is tested with the main job, DependencyTimeout and KMSInternal behind the fault module.
    """

    def test_a_disabled_key_is_a_disabled_exception(self):
        key = self.new_key()
        self.kms.call("DisableKey", KeyId=key["KeyId"])
        self.assertEqual(
            self.refused("DisabledException", "RotateKeyOnDemand", KeyId=key["KeyId"]),
            key["Arn"] + " is disabled.",
        )

    def test_a_key_that_waits_for_its_deletion_is_an_invalid_state(self):
        key = self.new_key()
        self.kms.call("ScheduleKeyDeletion", KeyId=key["KeyId"])
        self.assertEqual(
            self.refused("KMSInvalidStateException", "RotateKeyOnDemand", KeyId=key["KeyId"]),
            key["Arn"] + " is pending deletion.",
        )

    def test_a_key_that_is_not_there_is_not_found(self):
        for identifier in (UNKNOWN_KEY, key_arn(UNKNOWN_KEY)):
            self.assertEqual(
                self.refused("NotFoundException", "RotateKeyOnDemand", KeyId=identifier),
                f"Key '{key_arn(UNKNOWN_KEY)}' does not exist",
            )
        self.assertEqual(
            self.refused("NotFoundException", "RotateKeyOnDemand", KeyId="no-key"),
            "Invalid keyId 'no-key'",
        )
        self.assertEqual(
            self.refused(
                "NotFoundException",
                "RotateKeyOnDemand",
                KeyId=key_arn(self.new_key()["KeyId"], region="eu-west-1"),
            ),
            "Invalid arn eu-west-1",
        )

    def test_an_alias_or_a_malformed_arn_is_an_invalid_arn(self):
        key = self.new_key()["KeyId"]
        self.kms.call("CreateAlias", AliasName="alias/rotated", TargetKeyId=key)
        for name in (
            "alias/rotated",
            f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/rotated",
            "alias/absent",
        ):
            self.assertEqual(
                self.refused("InvalidArnException", "RotateKeyOnDemand", KeyId=name),
                "Key Aliases are not supported for this operation.",
            )
        self.refused("InvalidArnException", "RotateKeyOnDemand", KeyId="arn:aws:kms:nonsense")
        self.assertEqual(self.rotations(key), [])

    def test_a_missing_or_empty_key_id_is_a_validation_error(self):
        self.assertEqual(
            self.refused("ValidationException", "RotateKeyOnDemand"),
            "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: "
            "Member must not be null",
        )
        text = self.refused("ValidationException", "RotateKeyOnDemand", KeyId="")
        self.assertIn(
            "Value '' at 'keyId' failed to satisfy constraint: Member must have length "
            "greater than or equal to 1",
            text,
        )

    def test_a_key_of_another_account_is_not_ours_to_rotate(self):
        self.refused(
            "AccessDeniedException",
            "RotateKeyOnDemand",
            KeyId=key_arn(UNKNOWN_KEY, account="111122223333"),
        )

    def test_a_refused_rotation_changes_nothing(self):
        key = self.new_key()["KeyId"]
        objects = self.service.token_objects()
        self.kms.call("DisableKey", KeyId=key)
        self.refused("DisabledException", "RotateKeyOnDemand", KeyId=key)
        self.kms.call("EnableKey", KeyId=key)
        self.assertEqual(self.rotations(key), [])
        self.assertNotIn(
            "OnDemandRotationStartDate", self.kms.call("GetKeyRotationStatus", KeyId=key)
        )
        self.assertEqual(self.service.token_objects(), objects)

    def test_many_at_once_rotate_as_often_as_they_are_told_that_they_did(self):
        key = self.new_key()["KeyId"]
        outcomes = []

        def rotate():
            client = self.service.client()
            for _ in range(3):
                try:
                    client.call("RotateKeyOnDemand", KeyId=key)
                    outcomes.append("done")
                except signing.KmsError as error:
                    outcomes.append(error.code)
            client.close()

        threads = [threading.Thread(target=rotate) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(set(outcomes), {"done", "ConflictException", "LimitExceededException"})
        self.assertEqual(len(self.rotations(key)), outcomes.count("done"))
        self.assertGreaterEqual(outcomes.count("done"), 1)


if __name__ == "__main__":
    unittest.main()
