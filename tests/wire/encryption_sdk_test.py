#!/usr/bin/env python3
"""The AWS Encryption SDK for Python encrypts and decrypts through the service, with its KMS keyring
and across a rotation.
"""

import os
import unittest

import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsKeyringInput,
    CreateMultiKeyringInput,
)

import service
from boto3_test import client


class EncryptionSdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = service.Service()
        cls.addClassCleanup(cls.service.close)
        cls.service.start()
        cls.kms = client(cls.service)
        cls.sdk = aws_encryption_sdk.EncryptionSDKClient()
        cls.providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())

    def keyring(self, key):
        return self.providers.create_aws_kms_keyring(
            CreateAwsKmsKeyringInput(kms_key_id=key, kms_client=self.kms)
        )

    def test_a_message_survives_a_rotation_and_a_kill(self):
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        plaintext = os.urandom(100_000)
        context = {"purpose": "test"}
        message, _ = self.sdk.encrypt(
            source=plaintext, keyring=self.keyring(key), encryption_context=context
        )
        self.kms.rotate_key_on_demand(KeyId=key)
        self.service.kill()
        self.service.start()
        type(self).kms = client(self.service)
        opened, header = self.sdk.decrypt(source=message, keyring=self.keyring(key))
        self.assertEqual(opened, plaintext)
        self.assertLessEqual(context.items(), header.encryption_context.items())

    def test_either_of_two_keys_opens_a_message_of_a_multi_keyring(self):
        keys = [self.kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
        both = self.providers.create_multi_keyring(
            CreateMultiKeyringInput(
                generator=self.keyring(keys[0]), child_keyrings=[self.keyring(keys[1])]
            )
        )
        message, _ = self.sdk.encrypt(source=b"for both", keyring=both)
        for key in keys:
            opened, _ = self.sdk.decrypt(source=message, keyring=self.keyring(key))
            self.assertEqual(opened, b"for both")
        third = self.kms.create_key()["KeyMetadata"]["Arn"]
        with self.assertRaises(Exception):
            self.sdk.decrypt(source=message, keyring=self.keyring(third))


if __name__ == "__main__":
    unittest.main()
