#!/usr/bin/env python3
"""Keys whose material is kept wrapped outside of the token: made, used, rotated, restarted, with the
wrapping key rotated and killed in the middle of it, and served beside resident ones.

Needs nothing but Python.
"""

import glob
import json
import subprocess
import time
import unittest

import service
from service import FaultyService, ServiceCase
from signing import blob

WRAPPED = {"profile.keys.custody": "wrapped"}
MESSAGE = blob(b"attack at dawn")


class WrappedCase(ServiceCase):
    settings = WRAPPED

    def new_mac_key(self):
        return self.new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")

    def encrypt(self, key):
        return self.kms.call("Encrypt", KeyId=key["KeyId"], Plaintext=MESSAGE)["CiphertextBlob"]

    def mac(self, key):
        return self.kms.call("GenerateMac", KeyId=key["KeyId"], MacAlgorithm="HMAC_SHA_256",
                             Message=MESSAGE)["Mac"]

    def assert_decrypts(self, *ciphertexts):
        for ciphertext in ciphertexts:
            answer = self.kms.call("Decrypt", CiphertextBlob=ciphertext)
            self.assertEqual(answer["Plaintext"], MESSAGE)

    def wrapping_keys(self):
        done = self.service.run("wrapping-key", "list", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["wrappingKeys"]

    def rotate_wrapping_key(self):
        done = self.service.run("wrapping-key", "rotate")
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def events(self, name):
        """Of the audit trail, which is whole once the service has stopped."""
        self.restart()
        found = []
        for file in sorted(glob.glob(self.service.data + "/audit/events*")):
            with open(file, encoding="utf-8") as lines:
                found += [json.loads(line) for line in lines]
        return [event for event in found if event["eventName"] == name]

    def custody(self, key):
        shown = self.service.inspect(key["KeyId"])
        return [(material["custody"], material["checkValue"]) for material in shown["materials"]]


class WrappedKeys(WrappedCase):
    def test_they_are_made_used_rotated_and_there_after_a_restart(self):
        objects = self.service.token_objects()
        key, mac_key = self.new_key(), self.new_mac_key()
        ciphertexts = [self.encrypt(key)]
        self.kms.call("RotateKeyOnDemand", KeyId=key["KeyId"])
        self.wait_for_rotations(key["KeyId"], 1)
        ciphertexts.append(self.encrypt(key))
        data_key = self.kms.call("GenerateDataKey", KeyId=key["KeyId"], KeySpec="AES_256")
        mac = self.mac(mac_key)
        self.assertLessEqual(self.service.token_objects(), objects + 2, "the wrapping key's alone")
        self.restart()
        self.assert_decrypts(*ciphertexts)
        opened = self.kms.call("Decrypt", CiphertextBlob=data_key["CiphertextBlob"])
        self.assertEqual(opened["Plaintext"], data_key["Plaintext"])
        self.assertEqual(self.mac(mac_key), mac)
        self.assertTrue(self.kms.call("VerifyMac", KeyId=mac_key["KeyId"], Mac=mac, Message=MESSAGE,
                                      MacAlgorithm="HMAC_SHA_256")["MacValid"])
        report = self.service.reconcile()
        self.assertEqual((report["alarms"], report["strangers"]), ([], []))

    def test_inspection_and_audit_events_say_how_they_are_kept(self):
        key = self.new_key()
        self.kms.call("DescribeKey", KeyId=key["KeyId"])
        shown = self.service.inspect(key["KeyId"])["materials"][0]
        self.assertEqual((shown["custody"], shown["checkValue"]), ("wrapped", "matches"))
        self.assertEqual(shown["token"]["CKA_SENSITIVE"], True)
        self.assertEqual(shown["token"]["CKA_EXTRACTABLE"], False)
        self.assertEqual(shown["token"]["CKA_NEVER_EXTRACTABLE"], False)
        wrapping_key = shown["wrappingKey"]
        self.assertEqual(wrapping_key["objectName"], self.wrapping_keys()[0]["objectName"])
        self.assertEqual(wrapping_key["token"]["CKA_LOCAL"], True)
        self.assertEqual(wrapping_key["token"]["CKA_NEVER_EXTRACTABLE"], True)
        text = self.service.run("key", "inspect", key["KeyId"]).stdout
        self.assertIn("custody wrapped", text)
        self.assertIn("and of its wrapping key", text)
        for operation in ("CreateKey", "DescribeKey"):
            (event,) = [event for event in self.events(operation)
                        if event["resources"] and event["resources"][0]["ARN"] == key["Arn"]]
            self.assertEqual(event["additionalEventData"]["custody"], "wrapped")

    def test_what_they_encrypt_is_what_resident_keys_encrypt(self):
        """A material keeps the custody it was made in, and both are served side by side."""
        wrapped = self.new_key()
        before = self.encrypt(wrapped)
        self.restart(profile__keys__custody="resident")
        self.addCleanup(self.restart, profile__keys__custody="wrapped")
        resident = self.new_key()
        self.assertEqual(self.custody(resident), [("resident", "matches")])
        self.assertEqual(self.custody(wrapped), [("wrapped", "matches")])
        self.assert_decrypts(before, self.encrypt(wrapped), self.encrypt(resident))
        self.kms.call("RotateKeyOnDemand", KeyId=wrapped["KeyId"])
        self.wait_for_rotations(wrapped["KeyId"], 1)
        self.assertEqual(self.custody(wrapped), [("wrapped", "matches"), ("resident", "matches")])
        self.assert_decrypts(before, self.encrypt(wrapped))


class WrappingKeyRotation(WrappedCase):
    def test_every_ciphertext_decrypts_after_it(self):
        keys = [self.new_key() for _ in range(3)]
        mac_key = self.new_mac_key()
        ciphertexts = [self.encrypt(key) for key in keys]
        self.kms.call("RotateKeyOnDemand", KeyId=keys[0]["KeyId"])
        self.wait_for_rotations(keys[0]["KeyId"], 1)
        ciphertexts.append(self.encrypt(keys[0]))
        mac = self.mac(mac_key)
        (before,) = self.wrapping_keys()
        self.assertEqual(before["state"], "current")
        self.assertIn("the wrapping key is rotated", self.rotate_wrapping_key())
        (after,) = self.wrapping_keys()
        self.assertNotEqual(after["objectName"], before["objectName"])
        self.assertEqual(after["keyMaterials"], before["keyMaterials"])
        self.assert_decrypts(*ciphertexts)
        (event,) = [event for event in self.events("RotateWrappingKey")
                    if event["serviceEventDetails"]["previousWrappingKey"] == before["objectName"]]
        self.assertEqual(event["eventType"], "AwsServiceEvent")
        self.assertEqual(event["serviceEventDetails"]["currentWrappingKey"], after["objectName"])
        # The service was restarted for that.
        self.assert_decrypts(*ciphertexts)
        self.assertEqual(self.mac(mac_key), mac)
        report = self.service.reconcile()
        self.assertEqual((report["alarms"], report["strangers"]), ([], []))


class NothingWrapped(WrappedCase):
    settings = {}

    def test_there_is_nothing_to_rotate(self):
        self.assertEqual(self.wrapping_keys(), [])
        done = self.service.run("wrapping-key", "rotate")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no key material is of wrapped custody", done.stderr)


class KilledRotation(WrappedCase):
    service_class = FaultyService

    def test_it_is_finished_after_a_kill_in_the_middle(self):
        keys = [self.new_key() for _ in range(12)]
        ciphertexts = [self.encrypt(key) for key in keys]
        (before,) = self.wrapping_keys()
        self.service.fault("C_WrapKey * delay:150")
        already = self.service.calls("C_WrapKey")
        command = subprocess.Popen(
            [service.binary(), "wrapping-key", "rotate", "--data", self.service.data],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        # One to prove the new wrapping key, and one for each key material.
        while self.service.calls("C_WrapKey") < already + len(keys) // 2:
            self.assertLess(time.monotonic(), deadline, "the rotation does not begin")
            time.sleep(0.02)
        self.kms.close()
        self.service.kill()
        self.assertNotEqual(command.wait(), 0, "the rotation was over before the kill")
        self.service.fault()
        self.service.start()
        self.kms = self.service.client()
        deadline = time.monotonic() + 120
        while len(self.wrapping_keys()) != 1:
            self.assertLess(time.monotonic(), deadline, "the rotation does not end")
            time.sleep(0.1)
        (after,) = self.wrapping_keys()
        self.assertNotEqual(after["objectName"], before["objectName"])
        self.assertEqual(after["keyMaterials"], len(keys))
        self.assert_decrypts(*ciphertexts)
        report = self.service.reconcile()
        self.assertEqual((report["alarms"], report["strangers"]), ([], []))


if __name__ == "__main__":
    unittest.main()
