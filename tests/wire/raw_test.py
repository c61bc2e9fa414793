#!/usr/bin/env python3
"""The service over raw HTTP: the main job, every error of the RotateKeyOnDemand page that a
symmetric key can cause, the calendar, bad days and bad requests. Needs nothing but Python.
"""

import base64
import datetime
import glob
import json
import os
import random
import socket
import subprocess
import threading
import time
import unittest
import urllib.parse

import service
import signing
from service import ServiceCase
from signing import blob, unblob

DAY = 86400
UNKNOWN_KEY = "11111111-2222-4333-8444-555555555555"
ACCOUNT = "000000000000"
LIMIT_TEXT = (
    "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
    "rotations can be performed for this key: "
)
LOST_KEY_TEXT = (
    "The ciphertext refers to a customer master key that does not exist, does not exist "
    "in this region, or you are not allowed to access."
)
MISMATCH_TEXT = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service "
    "documentation for details."
)


def key_arn(key_id, region="us-east-1", account=ACCOUNT):
    return f"arn:aws:kms:{region}:{account}:key/{key_id}"


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
            ({"Origin": "EXTERNAL"}, "EXTERNAL"),
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


class Calendar(unittest.TestCase):
    """Rotation and deletion as their dates come, seen by moving the service's clock."""

    def setUp(self):
        self.service = service.Service()
        self.addCleanup(self.service.close)
        self.go_to(0)

    def go_to(self, seconds, **settings):
        """Restarts the service as if that much time had passed since the test began."""
        self.service.restart(dev__clock_offset=f"{int(seconds)}s", **settings)
        self.kms = self.service.client()

    refused = ServiceCase.refused
    rotations = ServiceCase.rotations
    wait_for_rotations = ServiceCase.wait_for_rotations

    def new_key(self):
        return self.kms.call("CreateKey")["KeyMetadata"]

    def status(self, key):
        return self.kms.call("GetKeyRotationStatus", KeyId=key)

    def test_an_automatic_rotation_happens_when_its_date_comes_and_not_before(self):
        key = self.new_key()["KeyId"]
        old = self.kms.encrypt(key, b"old")
        self.kms.call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
        due = self.status(key)["NextRotationDate"]
        self.assertAlmostEqual(due, time.time() + 90 * DAY, delta=60)

        self.go_to(90 * DAY - 600)
        time.sleep(2)  # two rounds of the worker
        self.assertEqual(self.rotations(key), [])

        self.go_to(90 * DAY + 60)
        (rotation,) = self.wait_for_rotations(key, 1)
        self.assertEqual(rotation["RotationType"], "AUTOMATIC")
        self.assertEqual(rotation["KeyMaterialState"], "CURRENT")
        self.assertAlmostEqual(rotation["RotationDate"], time.time() + 90 * DAY + 60, delta=60)
        self.assertEqual(self.status(key)["NextRotationDate"], round(due + 90 * DAY, 3))
        self.assertEqual(self.kms.decrypt(old), b"old")
        new = self.kms.call("Decrypt", CiphertextBlob=blob(self.kms.encrypt(key, b"new")))
        self.assertEqual(new["KeyMaterialId"], rotation["KeyMaterialId"])

    def test_the_schedule_stays_put_after_an_on_demand_rotation(self):
        key = self.new_key()["KeyId"]
        self.kms.call("EnableKeyRotation", KeyId=key)
        before = self.status(key)
        self.assertEqual(before["RotationPeriodInDays"], 365)
        self.go_to(100 * DAY)
        self.kms.call("RotateKeyOnDemand", KeyId=key)
        self.assertEqual(self.status(key), before)
        self.go_to(365 * DAY + 60)
        rotations = self.wait_for_rotations(key, 2)
        self.assertEqual([row["RotationType"] for row in rotations], ["ON_DEMAND", "AUTOMATIC"])

    def test_a_conflict_is_answered_in_the_twenty_minutes_before_an_automatic_rotation(self):
        key = self.new_key()["KeyId"]
        self.kms.call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
        self.go_to(90 * DAY - 23 * 60)
        self.kms.call("RotateKeyOnDemand", KeyId=key)
        self.go_to(90 * DAY - 17 * 60)
        self.refused("ConflictException", "RotateKeyOnDemand", KeyId=key)
        self.assertEqual(len(self.rotations(key)), 1)
        # Its cause gone, the rotation is accepted at once.
        self.kms.call("DisableKeyRotation", KeyId=key)
        self.kms.call("RotateKeyOnDemand", KeyId=key)

    def test_dates_missed_while_the_service_was_down_are_made_up_for_by_one_rotation(self):
        key = self.new_key()["KeyId"]
        self.kms.call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
        due = self.status(key)["NextRotationDate"]
        self.go_to(300 * DAY)  # three dates passed
        self.wait_for_rotations(key, 1)
        time.sleep(2)
        self.assertEqual(len(self.rotations(key)), 1)
        # The first date of the old grid after now.
        self.assertEqual(self.status(key)["NextRotationDate"], round(due + 3 * 90 * DAY, 3))

    def test_a_date_missed_while_the_key_was_disabled_is_made_up_for_when_it_is_enabled(self):
        key = self.new_key()["KeyId"]
        self.kms.call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
        self.kms.call("DisableKey", KeyId=key)
        self.assertTrue(self.status(key)["KeyRotationEnabled"])
        self.go_to(100 * DAY)
        time.sleep(2)
        self.assertEqual(self.rotations(key), [])
        self.kms.call("EnableKey", KeyId=key)
        self.wait_for_rotations(key, 1)

    def test_rotation_shows_as_off_while_a_deletion_is_pending_and_comes_back_after_it(self):
        key = self.new_key()["KeyId"]
        self.kms.call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=120)
        before = self.status(key)
        self.kms.call("ScheduleKeyDeletion", KeyId=key)
        self.assertEqual(self.status(key), {"KeyId": key, "KeyRotationEnabled": False})
        self.kms.call("CancelKeyDeletion", KeyId=key)
        self.assertEqual(self.status(key), before)
        self.assertEqual(
            self.kms.call("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"], "Disabled"
        )

    def test_enabling_rotation_again_begins_a_new_period(self):
        key = self.new_key()["KeyId"]
        self.kms.call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
        self.go_to(10 * DAY)
        self.kms.call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=200)
        status = self.status(key)
        self.assertEqual(status["RotationPeriodInDays"], 200)
        self.assertAlmostEqual(status["NextRotationDate"], time.time() + 210 * DAY, delta=60)
        for period, bound in (
            (89, "greater than or equal to 90"),
            (2561, "less than or equal to 2560"),
        ):
            self.assertIn(
                f"Value '{period}' at 'rotationPeriodInDays' failed to satisfy constraint: "
                f"Member must have value {bound}",
                self.refused(
                    "ValidationException",
                    "EnableKeyRotation",
                    KeyId=key,
                    RotationPeriodInDays=period,
                ),
            )

    def test_a_deletion_waits_for_its_date_and_then_destroys_the_key_and_its_objects(self):
        kept, gone = self.new_key(), self.new_key()
        key = gone["KeyId"]
        ciphertext = self.kms.encrypt(key, b"lost")
        self.kms.call("RotateKeyOnDemand", KeyId=key)
        self.kms.call("CreateAlias", AliasName="alias/gone", TargetKeyId=key)
        objects = self.service.token_objects()
        answer = self.kms.call("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
        self.assertEqual(
            (answer["KeyId"], answer["KeyState"], answer["PendingWindowInDays"]),
            (gone["Arn"], "PendingDeletion", 7),
        )
        self.refused("KMSInvalidStateException", "Decrypt", CiphertextBlob=blob(ciphertext))

        self.go_to(7 * DAY - 600)
        time.sleep(2)
        self.assertEqual(
            self.kms.call("DescribeKey", KeyId=key)["KeyMetadata"]["DeletionDate"],
            answer["DeletionDate"],
        )
        self.assertEqual(self.service.token_objects(), objects)

        self.go_to(7 * DAY + 60)
        deadline = time.monotonic() + 60
        while self.service.token_objects() > objects - 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(self.service.token_objects(), objects - 2)
        self.assertEqual(
            self.refused("NotFoundException", "DescribeKey", KeyId=key),
            f"Key '{gone['Arn']}' does not exist",
        )
        self.assertEqual(
            self.refused("AccessDeniedException", "Decrypt", CiphertextBlob=blob(ciphertext)),
            LOST_KEY_TEXT,
        )
        self.refused("NotFoundException", "Encrypt", KeyId="alias/gone", Plaintext=blob(b"x"))
        self.assertIsNone(self.service.inspect(key))
        report = self.service.reconcile()
        self.assertEqual((report["strangers"], report["alarms"]), ([], []))
        self.assertEqual(
            [entry["KeyId"] for entry in self.kms.pages("ListKeys", "Keys")], [kept["KeyId"]]
        )

    def test_a_cancelled_deletion_leaves_a_key_that_decrypts_what_it_did(self):
        key = self.new_key()["KeyId"]
        ciphertext = self.kms.encrypt(key, b"kept")
        self.kms.call("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
        self.kms.call("CancelKeyDeletion", KeyId=key)
        self.go_to(8 * DAY)
        time.sleep(2)
        self.refused("DisabledException", "Decrypt", CiphertextBlob=blob(ciphertext))
        self.kms.call("EnableKey", KeyId=key)
        self.assertEqual(self.kms.decrypt(ciphertext), b"kept")
        for days in (6, 31):
            self.assertEqual(
                self.refused(
                    "ValidationException",
                    "ScheduleKeyDeletion",
                    KeyId=key,
                    PendingWindowInDays=days,
                ),
                "PendingWindowInDays must be between 7 and 30",
            )

    def test_the_clock_that_moves_rotation_does_not_move_a_signatures_window_or_the_date_header(
        self,
    ):
        self.go_to(400 * DAY)
        answer = self.kms.post("ListKeys", b"{}")
        self.assertEqual(answer.status, 200)
        said = datetime.datetime.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        self.assertLess(abs(said - now), datetime.timedelta(minutes=1))


class HundredMaterials(unittest.TestCase):
    """A key with many materials, made by both kinds of rotation under the rules of 2025."""

    COUNT = int(os.environ.get("KEYHOLD_WIRE_MATERIALS", "100"))

    refused = ServiceCase.refused
    rotations = ServiceCase.rotations
    wait_for_rotations = ServiceCase.wait_for_rotations

    def test_it_decrypts_what_was_encrypted_under_each(self):
        keyhold = service.Service({"rotation.rules": "2025"})
        self.addCleanup(keyhold.close)
        self.kms = keyhold.start().client()
        key = self.kms.call("CreateKey")["KeyMetadata"]
        ciphertexts = [self.kms.encrypt(key["KeyId"], b"0")]
        on_demand = min(25, self.COUNT - 1)
        for _ in range(on_demand):
            self.kms.call("RotateKeyOnDemand", KeyId=key["KeyId"])
            ciphertexts.append(self.kms.encrypt(key["KeyId"], b"%d" % len(ciphertexts)))
        if on_demand == 25:
            self.assertEqual(
                self.refused("LimitExceededException", "RotateKeyOnDemand", KeyId=key["KeyId"]),
                LIMIT_TEXT + key["Arn"],
            )
        self.kms.call("EnableKeyRotation", KeyId=key["KeyId"], RotationPeriodInDays=90)
        for period in range(1, self.COUNT - on_demand):
            keyhold.restart(dev__clock_offset=f"{period * 90 * DAY + 60}s")
            self.kms = keyhold.client()
            deadline = time.monotonic() + 60
            while self.kms.call("DescribeKey", KeyId=key["KeyId"])["KeyMetadata"][
                "CurrentKeyMaterialId"
            ] == current_material(self.kms, ciphertexts[-1]):
                self.assertLess(time.monotonic(), deadline, "no automatic rotation")
                time.sleep(0.01)
            ciphertexts.append(self.kms.encrypt(key["KeyId"], b"%d" % len(ciphertexts)))

        self.assertEqual(len(ciphertexts), self.COUNT)
        named = set()
        for number, ciphertext in enumerate(ciphertexts):
            answer = self.kms.call("Decrypt", CiphertextBlob=blob(ciphertext))
            self.assertEqual(unblob(answer["Plaintext"]), b"%d" % number)
            named.add(answer["KeyMaterialId"])
        self.assertEqual(len(named), self.COUNT)
        rows = self.rotations(key["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=7)
        self.assertEqual({row["KeyMaterialId"] for row in rows}, named)
        self.assertEqual([row["KeyMaterialState"] for row in rows].count("CURRENT"), 1)
        self.assertNotIn("RotationType", rows[0])


def current_material(kms, ciphertext):
    return kms.call("Decrypt", CiphertextBlob=blob(ciphertext))["KeyMaterialId"]


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


class Credentials(ServiceCase):
    """Who is let in."""

    def denied(self, operation="ListKeys", body=b"{}", **options):
        answer = self.kms.post(operation, body, **options)
        self.assertEqual(answer.status, 400)
        self.assertRegex(
            answer.headers["x-amzn-requestid"], "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
        )
        return answer.json()["__type"], answer.json().get("message", "")

    def test_an_unsigned_request_is_told_that_it_is_unsigned_whatever_its_body(self):
        for body in (b"{}", b"garbage", b"\xff\xfe"):
            answer = self.kms.exchange(self.kms.headers("ListKeys"), body)
            self.assertEqual(
                (answer.status, answer.json()["__type"], answer.json()["message"]),
                (400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
            )

    def test_a_wrong_secret_is_a_signature_that_does_not_match(self):
        self.assertEqual(self.denied(secret="wrong"), ("InvalidSignatureException", MISMATCH_TEXT))

    def test_an_unknown_access_key_and_a_foreign_security_token_are_unrecognized(self):
        expected = (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
        self.assertEqual(self.denied(access_key="AKIAIOSFODNN7EXAMPLE"), expected)
        self.assertEqual(self.denied(extra=[("X-Amz-Security-Token", "abc")]), expected)

    def test_an_old_and_a_future_signature_are_outside_the_window_of_five_minutes(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        code, text = self.denied(date=signing.amz_date(now - datetime.timedelta(minutes=6)))
        self.assertEqual(code, "InvalidSignatureException")
        self.assertRegex(
            text,
            r"^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z "
            r"\(\d{8}T\d{6}Z - 5 min\.\)$",
        )
        code, text = self.denied(date=signing.amz_date(now + datetime.timedelta(minutes=6)))
        self.assertEqual(code, "InvalidSignatureException")
        self.assertRegex(
            text,
            r"^Signature not yet current: \d{8}T\d{6}Z is still later than "
            r"\d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)$",
        )
        for minutes in (-4, 4):
            date = signing.amz_date(now + datetime.timedelta(minutes=minutes))
            self.assertEqual(self.kms.post("ListKeys", b"{}", date=date).status, 200)

    def test_a_changed_body_header_or_operation_does_not_match_its_signature(self):
        pairs = self.kms.signed_headers("ListKeys", b"{}")
        for changed, body in (
            (pairs, b"{ }"),
            (replaced(pairs, "X-Amz-Target", "TrentService.CreateKey"), b"{}"),
            (replaced(pairs, "Host", "example.com"), b"{}"),
            (replaced(pairs, "Content-Type", "application/json"), b"{}"),
        ):
            answer = self.kms.exchange(changed, body)
            self.assertEqual((answer.status, answer.json()["message"]), (400, MISMATCH_TEXT))

    def test_the_hash_of_the_body_is_computed_and_not_believed(self):
        for claim in ("UNSIGNED-PAYLOAD", "0" * 64):
            code, _ = self.denied(extra=[("X-Amz-Content-Sha256", claim)], payload_hash=claim)
            self.assertEqual(code, "InvalidSignatureException")

    def test_a_scope_of_another_service_date_or_terminator_is_refused_by_name(self):
        code, text = self.denied(service="s3")
        self.assertEqual(
            (code, text),
            (
                "InvalidSignatureException",
                "Credential should be scoped to correct service: 'kms'. ",
            ),
        )
        code, text = self.denied(scope_date="20200101")
        self.assertEqual(code, "InvalidSignatureException")
        self.assertIn("Date in Credential scope does not match YYYYMMDD", text)
        code, text = self.denied(terminator="aws4")
        self.assertIn("valid terminator", text)
        code, text = self.denied(region="No_Region")
        self.assertIn("Credential should be scoped to a valid region", text)

    def test_host_and_every_x_amz_header_must_be_signed(self):
        for unsigned in ("host", "x-amz-target", "x-amz-date"):
            names = {"host", "content-type", "x-amz-date", "x-amz-target"} - {unsigned}
            code, text = self.denied(signed=names)
            self.assertEqual(code, "InvalidSignatureException")
            self.assertIn("must be a 'SignedHeader' in the AWS Authorization.", text)

    def test_two_readers_of_a_request_cannot_take_different_headers(self):
        for name, value in (
            ("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e"),
            ("X-Amz-Target", "TrentService.CreateKey"),
            ("X-Amz-Date", signing.amz_date()),
        ):
            pairs = self.kms.signed_headers("ListKeys", b"{}") + [(name, value)]
            answer = self.kms.exchange(pairs, b"{}")
            self.assertEqual(
                (answer.status, answer.json()["__type"]), (400, "IncompleteSignatureException")
            )

    def test_a_presigned_query_and_a_malformed_authorization_are_incomplete(self):
        pairs = self.kms.headers("ListKeys")
        query = urllib.parse.urlencode(
            {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Signature": "0"}
        )
        answer = self.kms.exchange(pairs, b"{}", target="/?" + query)
        self.assertEqual(
            (answer.status, answer.json()["__type"]), (400, "IncompleteSignatureException")
        )
        for value, text in (
            ("Basic dTpw", "Unsupported AWS 'algorithm': 'Basic'."),
            ("AWS4-HMAC-SHA256 nonsense", "missing equal-sign"),
            ("AWS4-HMAC-SHA256 Credential=a/b", "requires 'Signature' parameter"),
        ):
            answer = self.kms.exchange(pairs + [("Authorization", value)], b"{}")
            self.assertEqual(answer.json()["__type"], "IncompleteSignatureException")
            self.assertIn(text, answer.json()["message"])

    def test_the_credential_of_the_environment_is_the_one_that_counts(self):
        keyhold = service.Service(
            environment={
                "AWS_ACCESS_KEY_ID": "AKIAKEYHOLDTESTSONLY",
                "AWS_SECRET_ACCESS_KEY": "from/the+environment",
            }
        )
        self.addCleanup(keyhold.close)
        keyhold.start()
        self.assertEqual(keyhold.client().call("ListKeys"), {"Keys": [], "Truncated": False})


def replaced(pairs, name, value):
    return [(key, value if key == name else old) for key, old in pairs]


class Requests(ServiceCase):
    """Requests that are malformed, oversized, deep, slow, half sent or pipelined."""

    def tearDown(self):
        # Whatever came, the service goes on.
        self.assertEqual(self.kms.post("ListKeys", b"{}").status, 200)

    def connect(self):
        host, port = self.kms.host.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), timeout=60)
        self.addCleanup(connection.close)
        return connection

    def send(self, data):
        """Sends bytes and reads until the service closes."""
        connection = self.connect()
        received = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
        except ConnectionError:
            pass  # closed with bytes unread
        return received

    def serialization_error(self, body):
        answer = self.kms.post("CreateKey", body)
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.json()["__type"], "SerializationException", body[:40])

    def test_a_body_that_is_no_json_object_is_a_serialization_error(self):
        for body in (
            b"{",
            b"[]",
            b"null",
            b'"x"',
            b"{} {}",
            b"\x00",
            b"\xef\xbb\xbf{}",
            b"{'a':1}",
            b'{"Description":"\xff"}',
            b'{"Description":"\\ud800"}',
            b"nonsense",
            b'{"Description":"a","Description":"b"}',
            b'{"Description":1}',
            b'{"Description":["a"]}',
        ):
            self.serialization_error(body)

    def test_an_empty_body_is_an_empty_object(self):
        self.assertEqual(self.kms.post("ListKeys", b"").status, 200)

    def test_members_that_are_null_are_absent_and_unknown_ones_are_ignored(self):
        answer = self.kms.post("CreateKey", b'{"Description":null,"Tomorrow":{"a":[1]}}')
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["KeyMetadata"]["Description"], "")

    def test_bad_base64_is_a_serialization_error(self):
        key = self.new_key()["KeyId"]
        for text in ("a", "ab=", "####", "YQ", "YQ==YQ=="):
            answer = self.kms.post(
                "Encrypt", json.dumps({"KeyId": key, "Plaintext": text}).encode()
            )
            self.assertEqual(
                (answer.status, answer.json()["__type"]), (400, "SerializationException"), text
            )

    def test_a_deeply_nested_body_is_refused(self):
        for depth in (40, 1000, 100_000):
            self.serialization_error(b'{"Tomorrow":' + b"[" * depth + b"]" * depth + b"}")
            self.serialization_error(b'{"a":' * depth + b"1" + b"}" * depth)

    def test_several_violations_are_told_at_once(self):
        text = self.refused("ValidationException", "Encrypt", KeyId="", Plaintext="")
        self.assertTrue(
            text.startswith("3 validation errors detected: ")
            or text.startswith("2 validation errors detected: "),
            text,
        )
        self.assertIn("Value '' at 'keyId' failed to satisfy constraint", text)
        self.assertIn(
            "Value at 'plaintext' failed to satisfy constraint: Member must have length "
            "greater than or equal to 1",
            text,
        )
        text = self.refused(
            "ValidationException", "Encrypt", KeyId=UNKNOWN_KEY, Plaintext=blob(bytes(4097))
        )
        self.assertEqual(
            text,
            "1 validation error detected: Value at 'plaintext' failed to satisfy "
            "constraint: Member must have length less than or equal to 4096",
        )

    def test_an_oversized_body_is_answered_with_413_before_it_is_read(self):
        for length in (1024 * 1024 + 1, 2**62):
            pairs = self.kms.headers("ListKeys") + [("Content-Length", str(length))]
            head = "".join(f"{name}: {value}\r\n" for name, value in pairs)
            received = self.send(f"POST / HTTP/1.1\r\n{head}\r\n".encode())
            self.assertTrue(received.startswith(b"HTTP/1.1 413 "), received[:100])
            self.assertIn(b"RequestEntityTooLargeException", received)

    def test_oversized_headers_are_answered_with_431(self):
        received = self.send(
            b"POST / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n"
        )
        self.assertTrue(received.startswith(b"HTTP/1.1 431 "), received[:100])

    def test_what_is_not_http_is_answered_with_400_and_the_connection_is_closed(self):
        for noise in (
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"hello\r\n\r\n",
            b"POST /\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",  # no Host
            b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        ):
            received = self.send(noise)
            self.assertTrue(received.startswith(b"HTTP/1.1 400 "), (noise, received[:100]))

    def test_a_half_sent_request_has_no_effect(self):
        before = list(self.kms.pages("ListKeys", "Keys"))
        whole = self.kms.request_bytes("CreateKey", b'{"Description":"half"}')
        for length in (1, 20, len(whole) // 2, len(whole) - 1):
            connection = self.connect()
            connection.sendall(whole[:length])
            connection.close()
        time.sleep(0.2)
        self.assertEqual(list(self.kms.pages("ListKeys", "Keys")), before)

    def test_a_request_that_trickles_is_answered_and_holds_up_nobody(self):
        whole = self.kms.request_bytes("ListKeys", b'{"Limit":1}')
        connection = self.connect()
        for start in range(0, len(whole), 50):
            connection.sendall(whole[start : start + 50])
            self.assertEqual(self.kms.post("ListKeys", b"{}").status, 200)
            time.sleep(0.02)
        self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 200 "))

    def test_a_request_that_never_ends_is_given_up(self):
        connection = self.connect()
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        while connection.recv(65536):
            pass
        self.assertLess(time.monotonic() - began, 30)

    def test_pipelined_requests_are_answered_in_their_order(self):
        connection = self.connect()
        bodies = [b'{"NumberOfBytes":%d}' % size for size in (1, 20, 300)]
        connection.sendall(
            b"".join(self.kms.request_bytes("GenerateRandom", body) for body in bodies)
        )
        reader = connection.makefile("rb")
        sizes = []
        for _ in bodies:
            self.assertTrue(reader.readline().startswith(b"HTTP/1.1 200 "))
            length = 0
            while line := reader.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            sizes.append(len(unblob(json.loads(reader.read(length))["Plaintext"])))
        self.assertEqual(sizes, [1, 20, 300])

    def test_a_chunked_body_is_verified_without_its_coding(self):
        body = b'{"NumberOfBytes":16}'
        pairs = self.kms.signed_headers("GenerateRandom", body)
        pairs.append(("Transfer-Encoding", "chunked"))
        chunked = (
            b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]))
            + b"0\r\n\r\n"
        )
        self.assertEqual(self.kms.exchange(pairs, chunked).status, 200)

    def test_other_methods_and_paths_are_no_operations(self):
        for method, target in (("GET", "/"), ("PUT", "/"), ("DELETE", "/"), ("POST", "/other")):
            pairs = self.kms.headers("ListKeys")
            authorization = signing.sign(
                pairs,
                b"",
                self.kms.access_key,
                self.kms.secret,
                self.kms.region,
                method=method,
                target=target,
            )
            answer = self.kms.exchange(
                pairs + [("Authorization", authorization)], b"", method, target
            )
            self.assertIn(answer.status, (400, 404, 405), (method, target))

    def test_a_hundred_idle_connections_hold_up_nobody(self):
        connections = [self.connect() for _ in range(100)]
        self.assertEqual(self.kms.post("ListKeys", b"{}").status, 200)
        for connection in connections:
            connection.sendall(self.kms.request_bytes("ListKeys", b"{}"))
        for connection in connections:
            self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 200 "))


class Regions(ServiceCase):
    def test_two_regions_see_different_keys_and_aliases(self):
        west, east = self.service.client("eu-west-1"), self.service.client("us-east-1")
        in_west = west.call("CreateKey")["KeyMetadata"]
        in_east = east.call("CreateKey")["KeyMetadata"]
        self.assertEqual(in_west["Arn"], key_arn(in_west["KeyId"], "eu-west-1"))
        self.assertEqual(
            [entry["KeyId"] for entry in west.call("ListKeys")["Keys"]], [in_west["KeyId"]]
        )
        self.assertEqual(
            [entry["KeyId"] for entry in east.call("ListKeys")["Keys"]], [in_east["KeyId"]]
        )
        for client, key in ((west, in_west), (east, in_east)):
            client.call("CreateAlias", AliasName="alias/same", TargetKeyId=key["KeyId"])
            self.assertEqual(
                client.call("DescribeKey", KeyId="alias/same")["KeyMetadata"]["Arn"], key["Arn"]
            )
        with self.assertRaises(signing.KmsError) as caught:
            east.call("DescribeKey", KeyId=in_west["KeyId"])
        self.assertEqual(
            caught.exception.message, f"Key '{key_arn(in_west['KeyId'])}' does not exist"
        )
        with self.assertRaises(signing.KmsError) as caught:
            east.decrypt(west.encrypt(in_west["KeyId"], b"x"))
        self.assertEqual(
            (caught.exception.code, caught.exception.message),
            ("AccessDeniedException", LOST_KEY_TEXT),
        )

    def test_a_region_of_another_partition_is_in_its_arns(self):
        metadata = self.service.client("cn-north-1").call("CreateKey")["KeyMetadata"]
        self.assertTrue(metadata["Arn"].startswith("arn:aws-cn:kms:cn-north-1:"))


class AuditTrail(ServiceCase):
    def events(self):
        """The audit trail, which is whole once the service has stopped."""
        self.restart()
        events = []
        for name in sorted(glob.glob(self.service.data + "/audit/*")):
            with open(name, encoding="utf-8") as lines:
                events += [json.loads(line) for line in lines]
        return events

    def test_each_call_has_one_event_and_each_rotation_a_service_event(self):
        key = self.new_key()
        self.kms.call("RotateKeyOnDemand", KeyId=key["KeyId"])
        with self.assertRaises(signing.KmsError):
            self.kms.call("DescribeKey", KeyId=UNKNOWN_KEY)
        (rotation,) = self.rotations(key["KeyId"])

        events = self.events()
        mine = [
            event
            for event in events
            if any(
                resource.get("ARN") == key["Arn"]
                for resource in event.get("resources") or ()
                if isinstance(resource, dict)
            )
        ]
        calls = [event["eventName"] for event in mine if event.get("eventType") == "AwsApiCall"]
        self.assertEqual(calls.count("RotateKeyOnDemand"), 1)
        (rotated,) = [event for event in mine if event.get("eventName") == "RotateKey"]
        self.assertEqual(rotated["eventType"], "AwsServiceEvent")
        details = rotated["serviceEventDetails"]
        self.assertEqual((details["rotationType"], details["keyOrigin"]), ("ON_DEMAND", "AWS_KMS"))
        self.assertEqual(details["previousKeyMaterialId"], key["CurrentKeyMaterialId"])
        self.assertEqual(details["currentKeyMaterialId"], rotation["KeyMaterialId"])
        failed = [
            event
            for event in events
            if event.get("eventName") == "DescribeKey"
            and event.get("errorCode") == "NotFoundException"
        ]
        self.assertEqual(len(failed), 1)

    def test_no_secret_is_written_to_the_log_the_audit_trail_or_the_store(self):
        secret = "plaintext-that-nobody-may-read"
        key = self.new_key()["KeyId"]
        self.kms.decrypt(self.kms.encrypt(key, secret.encode()))
        data_key = self.kms.call("GenerateDataKey", KeyId=key, KeySpec="AES_256")["Plaintext"]
        with self.assertRaises(signing.KmsError):
            self.kms.call("Encrypt", KeyId=UNKNOWN_KEY, Plaintext=blob(secret.encode()))
        with open(self.service.data + "/pin", encoding="utf-8") as pin_file:
            pin = pin_file.read().strip()
        needles = [
            secret.encode(),
            blob(secret.encode()).encode(),
            data_key.encode(),
            unblob(data_key),
            self.kms.secret.encode(),
            pin.encode(),
        ]
        allowed = {os.path.join(self.service.data, name) for name in ("credentials", "pin")}
        # The new access key is printed once, where its owner looks.
        allowed.add(os.path.join(self.service.root, "out.1"))
        for folder, _, names in os.walk(self.service.root):
            for name in names:
                path = os.path.join(folder, name)
                if path in allowed or not os.path.isfile(path):
                    continue
                with open(path, "rb") as file:
                    content = file.read()
                for needle in needles:
                    self.assertNotIn(needle, content, path)


class CommandLine(unittest.TestCase):
    """What the operator is told when something is wrong: one sentence, exit code 2."""

    def setUp(self):
        self.service = service.Service()
        self.addCleanup(self.service.close)

    def refused(self, other, *arguments):
        process = subprocess.run(
            [service.binary(), *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual(process.returncode, 2, process.stderr)
        # Log lines begin with their time; the sentence for the operator is the last line.
        lines = process.stderr.strip().splitlines()
        sentences = [line for line in lines if not line[:4].isdigit()]
        self.assertEqual(sentences, lines[-1:], process.stderr)
        self.assertTrue(sentences[0].startswith("keyhold: "), sentences)
        self.assertIn(other, sentences[0])

    def dev(self, *arguments):
        return (
            "dev",
            "--data",
            os.path.join(self.service.root, "other"),
            "--listen",
            "127.0.0.1:0",
            *arguments,
        )

    def test_an_unknown_option_is_named(self):
        self.refused("--coffee", *self.dev("--coffee"))

    def test_an_unknown_configuration_key_and_a_bad_value_are_named(self):
        self.refused("no.such.key", *self.dev("--set", "no.such.key=1"))
        self.refused("rotation.rules", *self.dev("--set", "rotation.rules=1999"))
        self.refused("dev.clock_offset", *self.dev("--set", "dev.clock_offset=-1d"))
        self.refused("account", *self.dev("--set", "account=12"))

    def test_a_port_in_use_is_named(self):
        self.service.start()
        port = self.service.endpoint.rsplit(":", 1)[1]
        self.refused(
            port,
            "dev",
            "--data",
            os.path.join(self.service.root, "other"),
            "--listen",
            f"127.0.0.1:{port}",
        )

    def test_an_address_that_is_not_loopback_is_refused(self):
        self.refused(
            "0.0.0.0",
            "dev",
            "--data",
            os.path.join(self.service.root, "other"),
            "--listen",
            "0.0.0.0:0",
        )

    def test_a_folder_in_use_is_named_and_its_service_goes_on(self):
        self.service.start()
        self.refused(
            self.service.data, "dev", "--data", self.service.data, "--listen", "127.0.0.1:0"
        )
        self.assertEqual(self.service.client().post("ListKeys", b"{}").status, 200)

    def test_a_folder_of_somebody_else_or_of_another_version_is_left_alone(self):
        os.mkdir(self.service.data)
        with open(self.service.data + "/thesis.txt", "w", encoding="ascii") as file:
            file.write("mine")
        self.refused(
            self.service.data, "dev", "--data", self.service.data, "--listen", "127.0.0.1:0"
        )
        os.remove(self.service.data + "/thesis.txt")
        self.service.start()
        self.service.stop()
        with open(self.service.data + "/version", "w", encoding="ascii") as file:
            file.write("keyhold data folder 99\n")
        self.refused("version", "dev", "--data", self.service.data, "--listen", "127.0.0.1:0")

    def test_a_command_without_a_running_service_says_so(self):
        self.refused(self.service.data, "key", "inspect", "--data", self.service.data, UNKNOWN_KEY)

    def test_help_and_version_are_no_errors(self):
        for arguments in (("--help",), ("dev", "--help"), ("--version",)):
            process = subprocess.run(
                [service.binary(), *arguments],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual(process.returncode, 0)
            self.assertTrue(process.stdout)

    def test_a_clean_stop_is_exit_code_zero_and_leaves_no_socket(self):
        self.service.start()
        self.assertEqual(self.service.stop(), 0)
        self.assertFalse(os.path.exists(self.service.data + "/keyhold.sock"))

    def test_a_second_start_prints_no_secret_and_is_quick(self):
        self.service.start()
        _, secret = self.service.credentials()
        self.assertIn(secret, self.service.output)
        self.service.stop()
        began = time.monotonic()
        self.service.start()
        took = time.monotonic() - began
        self.assertNotIn(secret, self.service.output)
        self.assertEqual(self.service.client().post("ListKeys", b"{}").status, 200)
        if not service.IS_SLOW:
            self.assertLess(took, 1)

    def test_the_files_that_hold_secrets_are_their_owners_alone(self):
        self.service.start()
        for name in ("credentials", "pin", "keyhold.sock"):
            mode = os.stat(os.path.join(self.service.data, name)).st_mode & 0o777
            self.assertEqual(mode, 0o600, name)
        self.assertEqual(os.stat(self.service.data).st_mode & 0o777, 0o700)


if __name__ == "__main__":
    unittest.main()
