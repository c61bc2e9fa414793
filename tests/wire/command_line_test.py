#!/usr/bin/env python3
"""What a service leaves in its files, and the command line of `keyhold dev`.

Needs nothing but Python.
"""

import glob
import json
import os
import subprocess
import unittest

import service
import signing
from expectations import UNKNOWN_KEY
from service import ServiceCase
from signing import blob, unblob


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

    def test_a_second_start_prints_no_secret(self):
        self.service.start()
        _, secret = self.service.credentials()
        self.assertIn(secret, self.service.output)
        self.service.stop()
        self.service.start()
        self.assertNotIn(secret, self.service.output)
        self.assertEqual(self.service.client().post("ListKeys", b"{}").status, 200)

    def test_the_files_that_hold_secrets_are_their_owners_alone(self):
        self.service.start()
        for name in ("credentials", "pin", "keyhold.sock"):
            mode = os.stat(os.path.join(self.service.data, name)).st_mode & 0o777
            self.assertEqual(mode, 0o600, name)
        self.assertEqual(os.stat(self.service.data).st_mode & 0o777, 0o700)


if __name__ == "__main__":
    unittest.main()
