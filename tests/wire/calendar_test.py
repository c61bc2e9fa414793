#!/usr/bin/env python3
"""Automatic rotation and deletion as the clock has them, moved by dev.clock_offset.

Needs nothing but Python.
"""

import datetime
import os
import time
import unittest

import service
from expectations import current_material, LIMIT_TEXT, LOST_KEY_TEXT
from service import ServiceCase
from signing import blob, unblob

DAY = 86400


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


if __name__ == "__main__":
    unittest.main()
