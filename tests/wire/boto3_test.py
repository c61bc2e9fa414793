#!/usr/bin/env python3
"""The service through a current boto3, unmodified: it is given AWS_ENDPOINT_URL_KMS and nothing
else that a client of AWS does not have.
"""

import json
import os
import threading
import unittest

import boto3
import botocore.config
import botocore.exceptions

import service

UNKNOWN_KEY = "11111111-2222-4333-8444-555555555555"


def client(keyhold, region="us-east-1", **config):
    """The client that an application would make, in the environment that the service prints."""
    access_key, secret = keyhold.credentials()
    os.environ.update(
        {
            "AWS_ENDPOINT_URL_KMS": keyhold.endpoint,
            "AWS_DEFAULT_REGION": region,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )
    # A LimitExceededException is retried by default; a test need not wait for that.
    config.setdefault("retries", {"total_max_attempts": 1})
    return boto3.Session().client("kms", config=botocore.config.Config(**config))


class Boto3Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = service.Service()
        cls.addClassCleanup(cls.service.close)
        cls.service.start()

    def setUp(self):
        self.kms = client(self.service)

    def new_key(self, **members):
        return self.kms.create_key(**members)["KeyMetadata"]


class MainJob(Boto3Case):
    def test_ten_rotations_eleven_ciphertexts_and_the_eleventh_rotation_refused(self):
        key = self.new_key(Description="rotated")
        ciphertexts = []
        for number in range(11):
            if number:
                answer = self.kms.rotate_key_on_demand(KeyId=key["KeyId"])
                self.assertEqual(answer["KeyId"], key["Arn"])
            ciphertexts.append(
                self.kms.encrypt(
                    KeyId=key["Arn"],
                    Plaintext=b"message %d" % number,
                    EncryptionContext={"number": str(number)},
                )["CiphertextBlob"]
            )
        with self.assertRaises(self.kms.exceptions.LimitExceededException) as caught:
            self.kms.rotate_key_on_demand(KeyId=key["KeyId"])
        self.assertEqual(
            caught.exception.response["Error"]["Message"],
            "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
            "rotations can be performed for this key: " + key["Arn"],
        )

        self.service.kill()
        self.service.start()
        self.kms = client(self.service)
        for number, ciphertext in enumerate(ciphertexts):
            answer = self.kms.decrypt(
                CiphertextBlob=ciphertext, EncryptionContext={"number": str(number)}
            )
            self.assertEqual(answer["Plaintext"], b"message %d" % number)
            self.assertEqual(answer["KeyId"], key["Arn"])
        rotations = [
            row
            for page in self.kms.get_paginator("list_key_rotations").paginate(
                KeyId=key["KeyId"], PaginationConfig={"PageSize": 3}
            )
            for row in page["Rotations"]
        ]
        self.assertEqual(len(rotations), 10)
        self.assertEqual({row["RotationType"] for row in rotations}, {"ON_DEMAND"})

    def test_threads_with_one_client_all_get_their_own_answers(self):
        key = self.new_key()["KeyId"]
        failures = []

        def work(number):
            try:
                for turn in range(20):
                    text = b"%d/%d" % (number, turn)
                    ciphertext = self.kms.encrypt(KeyId=key, Plaintext=text)["CiphertextBlob"]
                    if self.kms.decrypt(CiphertextBlob=ciphertext)["Plaintext"] != text:
                        failures.append(text)
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class Operations(Boto3Case):
    """Every operation there is, once; botocore validates and parses each answer by AWS's model."""

    def test_keys(self):
        key = self.new_key(Description="first")
        self.assertEqual(self.kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"], key)
        self.kms.update_key_description(KeyId=key["KeyId"], Description="second")
        described = self.kms.describe_key(KeyId=key["Arn"])["KeyMetadata"]
        self.assertEqual(described, {**key, "Description": "second"})
        self.kms.disable_key(KeyId=key["KeyId"])
        self.assertEqual(
            self.kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"], "Disabled"
        )
        self.kms.enable_key(KeyId=key["KeyId"])
        scheduled = self.kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=10)
        self.assertEqual(scheduled["PendingWindowInDays"], 10)
        pending = self.kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        self.assertEqual(pending["DeletionDate"], scheduled["DeletionDate"])
        self.assertEqual(self.kms.cancel_key_deletion(KeyId=key["KeyId"])["KeyId"], key["Arn"])
        self.assertEqual(
            self.kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"], "Disabled"
        )

    def test_cryptography(self):
        first, second = self.new_key()["KeyId"], self.new_key()["KeyId"]
        data_key = self.kms.generate_data_key(KeyId=first, KeySpec="AES_256")
        self.assertEqual(
            self.kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"],
            data_key["Plaintext"],
        )
        silent = self.kms.generate_data_key_without_plaintext(KeyId=first, NumberOfBytes=48)
        moved = self.kms.re_encrypt(
            CiphertextBlob=silent["CiphertextBlob"], DestinationKeyId=second, SourceKeyId=first
        )
        self.assertEqual(
            len(
                self.kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], KeyId=second)["Plaintext"]
            ),
            48,
        )
        drawn = {self.kms.generate_random(NumberOfBytes=32)["Plaintext"] for _ in range(20)}
        self.assertEqual((len(drawn), {len(value) for value in drawn}), (20, {32}))

    def test_rotation(self):
        key = self.new_key()["KeyId"]
        self.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        status = self.kms.get_key_rotation_status(KeyId=key)
        self.assertTrue(status["KeyRotationEnabled"])
        self.assertEqual(status["RotationPeriodInDays"], 90)
        self.assertIn("NextRotationDate", status)
        self.kms.rotate_key_on_demand(KeyId=key)
        rows = self.kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
        self.assertEqual(
            [row["KeyMaterialState"] for row in rows["Rotations"]], ["NON_CURRENT", "CURRENT"]
        )
        self.kms.disable_key_rotation(KeyId=key)
        self.assertFalse(self.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"])

    def test_aliases(self):
        first, second = self.new_key()["KeyId"], self.new_key()["KeyId"]
        self.kms.create_alias(AliasName="alias/name", TargetKeyId=first)
        self.kms.update_alias(AliasName="alias/name", TargetKeyId=second)
        (entry,) = self.kms.list_aliases(KeyId=second)["Aliases"]
        self.assertEqual((entry["AliasName"], entry["TargetKeyId"]), ("alias/name", second))
        self.assertGreaterEqual(entry["LastUpdatedDate"], entry["CreationDate"])
        self.kms.delete_alias(AliasName="alias/name")
        self.assertEqual(self.kms.list_aliases(KeyId=second)["Aliases"], [])

    def test_lists_page_by_page(self):
        keys = {self.new_key()["KeyId"] for _ in range(7)}
        for number, key in enumerate(sorted(keys)):
            self.kms.create_alias(AliasName=f"alias/paged/{number}", TargetKeyId=key)
        listed = [
            entry["KeyId"]
            for page in self.kms.get_paginator("list_keys").paginate(
                PaginationConfig={"PageSize": 2}
            )
            for entry in page["Keys"]
        ]
        self.assertEqual(len(listed), len(set(listed)))
        self.assertLessEqual(keys, set(listed))
        aliases = [
            entry["AliasName"]
            for page in self.kms.get_paginator("list_aliases").paginate(
                PaginationConfig={"PageSize": 2}
            )
            for entry in page["Aliases"]
        ]
        self.assertLessEqual({f"alias/paged/{number}" for number in range(7)}, set(aliases))
        self.assertEqual(self.kms.describe_custom_key_stores()["CustomKeyStores"], [])


class Errors(Boto3Case):
    """The classes that applications catch."""

    def test_each_error_is_of_its_class(self):
        raised = self.kms.exceptions
        key = self.new_key()["KeyId"]
        other = self.new_key()["KeyId"]
        ciphertext = self.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        self.kms.create_alias(AliasName="alias/taken", TargetKeyId=key)
        disabled = self.new_key()["KeyId"]
        self.kms.disable_key(KeyId=disabled)
        pending = self.new_key()["KeyId"]
        self.kms.schedule_key_deletion(KeyId=pending)
        for expected, call in (
            (raised.NotFoundException, lambda: self.kms.describe_key(KeyId=UNKNOWN_KEY)),
            (raised.NotFoundException, lambda: self.kms.describe_key(KeyId="alias/absent")),
            (
                raised.InvalidArnException,
                lambda: self.kms.rotate_key_on_demand(KeyId="alias/taken"),
            ),
            (raised.DisabledException, lambda: self.kms.rotate_key_on_demand(KeyId=disabled)),
            (raised.KMSInvalidStateException, lambda: self.kms.rotate_key_on_demand(KeyId=pending)),
            (
                raised.AlreadyExistsException,
                lambda: self.kms.create_alias(AliasName="alias/taken", TargetKeyId=other),
            ),
            (
                raised.InvalidCiphertextException,
                lambda: self.kms.decrypt(CiphertextBlob=ciphertext[:-1]),
            ),
            (
                raised.IncorrectKeyException,
                lambda: self.kms.decrypt(CiphertextBlob=ciphertext, KeyId=other),
            ),
            (
                raised.DryRunOperationException,
                lambda: self.kms.encrypt(KeyId=key, Plaintext=b"x", DryRun=True),
            ),
            (raised.InvalidMarkerException, lambda: self.kms.list_keys(Marker="foreign")),
            (raised.UnsupportedOperationException, lambda: self.kms.get_public_key(KeyId=key)),
        ):
            with self.assertRaises(expected):
                call()

    def test_a_wrong_secret_is_a_client_error_of_its_code(self):
        self.kms = client(self.service)
        stranger = boto3.Session(
            aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong"
        ).client("kms")
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            stranger.list_keys()
        self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidSignatureException")
        self.assertTrue(caught.exception.response["ResponseMetadata"]["RequestId"])

    def test_a_conflict_is_of_its_class(self):
        keyhold = service.Service()
        self.addCleanup(keyhold.close)
        keyhold.start()
        kms = client(keyhold)
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        keyhold.restart(dev__clock_offset="89d23h50m")
        kms = client(keyhold)
        with self.assertRaises(kms.exceptions.ConflictException):
            kms.rotate_key_on_demand(KeyId=key)


class ShortLivedCredentials(Boto3Case):
    """STS and the credentials it gives, through the SDK's own providers."""

    def test_an_assumed_role_calls_kms_within_its_session_policy(self):
        root = "arn:aws:iam::000000000000:root"
        definition = {
            "type": "role",
            "name": "app",
            "trustPolicy": self.policy("sts:AssumeRole", Principal={"AWS": root}),
            "policies": {"all": self.policy("kms:*", Resource="*")},
        }
        path = os.path.join(self.service.root, "role.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(definition, file)
        self.assertEqual(self.service.run("principal", "put", path).returncode, 0)
        sts = boto3.client("sts", endpoint_url=self.service.endpoint)
        self.assertTrue(sts.get_caller_identity()["Arn"].endswith(":user/admin"))
        made = sts.assume_role(
            RoleArn="arn:aws:iam::000000000000:role/app",
            RoleSessionName="s1",
            Policy=json.dumps(self.policy(["kms:CreateKey", "kms:Encrypt"], Resource="*")),
        )["Credentials"]
        session = boto3.Session(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
        kms = session.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            kms.decrypt(CiphertextBlob=blob, KeyId=key)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], "AccessDeniedException")
        self.assertIn("because no session policy allows the kms:Decrypt action", error["Message"])

    @staticmethod
    def policy(action, **members):
        statement = {"Effect": "Allow", "Action": action, **members}
        return {"Version": "2012-10-17", "Statement": [statement]}


if __name__ == "__main__":
    unittest.main()
