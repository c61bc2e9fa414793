#!/usr/bin/env python3
"""Key material made by Python's cryptography, imported through an unmodified boto3, and used: what
the service then computes is what cryptography computes.
"""

import datetime
import hmac
import os
import time
import unittest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

import service
from boto3_test import client

MESSAGE = b"attack at dawn"
ALGORITHMS = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1",
              "RSA_AES_KEY_WRAP_SHA_256")
ENVELOPES = ALGORITHMS[2:]
CURVES = {
    "ECC_NIST_P256": (ec.SECP256R1(), hashes.SHA256(), "ECDSA_SHA_256"),
    "ECC_NIST_P384": (ec.SECP384R1(), hashes.SHA384(), "ECDSA_SHA_384"),
    "ECC_NIST_P521": (ec.SECP521R1(), hashes.SHA512(), "ECDSA_SHA_512"),
    "ECC_SECG_P256K1": (ec.SECP256K1(), hashes.SHA256(), "ECDSA_SHA_256"),
}


def wrap(public_key, algorithm, material):
    """As the developer guide's "Step 3: Encrypt the key material" says."""
    key = serialization.load_der_public_key(public_key)
    digest = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    if algorithm.startswith("RSAES"):
        return key.encrypt(material, oaep)
    aes_key = os.urandom(32)
    return key.encrypt(aes_key, oaep) + aes_key_wrap_with_padding(aes_key, material)


def pkcs8(private):
    return private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                                 serialization.NoEncryption())


class ImportCase(unittest.TestCase):
    SETTINGS = {}

    @classmethod
    def setUpClass(cls):
        cls.service = service.Service(cls.SETTINGS)
        cls.addClassCleanup(cls.service.close)
        cls.service.start()
        cls.kms = client(cls.service)

    def external(self, **members):
        made = self.kms.create_key(Origin="EXTERNAL", **members)["KeyMetadata"]
        self.assertEqual((made["KeyState"], made["Enabled"]), ("PendingImport", False))
        return made["KeyId"]

    def bring(self, key, material, algorithm="RSAES_OAEP_SHA_1", spec="RSA_2048", lasts=None,
              **members):
        given = self.kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm,
                                                   WrappingKeySpec=spec)
        self.assertEqual(serialization.load_der_public_key(given["PublicKey"]).key_size,
                         int(spec[4:]))
        if lasts:
            members["ValidTo"] = datetime.datetime.now(datetime.timezone.utc) + lasts
        else:
            members["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE"
        return self.kms.import_key_material(
            KeyId=key, ImportToken=given["ImportToken"],
            EncryptedKeyMaterial=wrap(given["PublicKey"], algorithm, material), **members)

    def describe(self, key):
        return self.kms.describe_key(KeyId=key)["KeyMetadata"]


class Symmetric(ImportCase):
    def test_every_wrapping_algorithm_and_key(self):
        for algorithm in ALGORITHMS:
            for spec in ("RSA_2048", "RSA_3072", "RSA_4096"):
                with self.subTest(algorithm=algorithm, spec=spec):
                    key = self.external()
                    material_id = self.bring(key, os.urandom(32), algorithm, spec)["KeyMaterialId"]
                    self.assertEqual(self.describe(key)["CurrentKeyMaterialId"], material_id)
                    blob = self.kms.encrypt(KeyId=key, Plaintext=MESSAGE)["CiphertextBlob"]
                    answer = self.kms.decrypt(CiphertextBlob=blob)
                    self.assertEqual(answer["Plaintext"], MESSAGE)
                    self.assertEqual(answer["KeyMaterialId"], material_id)

    def test_deletion_and_the_same_material_again(self):
        key, material = self.external(), os.urandom(32)
        first = self.bring(key, material)
        blob = self.kms.encrypt(KeyId=key, Plaintext=MESSAGE)["CiphertextBlob"]
        deleted = self.kms.delete_imported_key_material(KeyId=key)
        self.assertEqual(deleted["KeyMaterialId"], first["KeyMaterialId"])
        self.assertEqual(self.describe(key)["KeyState"], "PendingImport")
        with self.assertRaises(self.kms.exceptions.KMSInvalidStateException):
            self.kms.decrypt(CiphertextBlob=blob)
        with self.assertRaises(self.kms.exceptions.IncorrectKeyMaterialException):
            self.bring(key, os.urandom(32))
        again = self.bring(key, material, "RSA_AES_KEY_WRAP_SHA_256")
        self.assertEqual(again["KeyMaterialId"], first["KeyMaterialId"])
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], MESSAGE)

    def test_material_expires(self):
        key, material = self.external(), os.urandom(32)
        self.bring(key, material, lasts=datetime.timedelta(days=3))
        shown = self.describe(key)
        self.assertEqual(shown["ExpirationModel"], "KEY_MATERIAL_EXPIRES")
        self.assertAlmostEqual(shown["ValidTo"].timestamp(), time.time() + 3 * 86400, delta=600)
        self.bring(key, material, lasts=datetime.timedelta(seconds=5))
        deadline = time.monotonic() + 60
        while self.describe(key)["KeyState"] != "PendingImport":
            self.assertLess(time.monotonic(), deadline, "the material does not expire")
            time.sleep(0.2)
        self.assertNotIn("ValidTo", self.describe(key))
        self.bring(key, material)
        self.assertEqual(self.describe(key)["KeyState"], "Enabled")

    def test_an_import_token_outlives_the_process(self):
        key, material = self.external(), os.urandom(32)
        given = self.kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_1", WrappingKeySpec="RSA_2048")
        self.service.kill()
        self.service.start()
        type(self).kms = client(self.service)
        self.kms.import_key_material(
            KeyId=key, ImportToken=given["ImportToken"],
            EncryptedKeyMaterial=wrap(given["PublicKey"], "RSAES_OAEP_SHA_1", material),
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
        blob = self.kms.encrypt(KeyId=key, Plaintext=MESSAGE)["CiphertextBlob"]
        self.service.kill()
        self.service.start()
        type(self).kms = client(self.service)
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], MESSAGE)

    def test_what_does_not_fit_is_refused(self):
        key, other = self.external(), self.external()
        with self.assertRaises(self.kms.exceptions.IncorrectKeyMaterialException):
            self.bring(key, os.urandom(16))
        given = self.kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_1", WrappingKeySpec="RSA_2048")
        request = {"ImportToken": given["ImportToken"],
                   "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
                   "EncryptedKeyMaterial": wrap(given["PublicKey"], "RSAES_OAEP_SHA_1",
                                                os.urandom(32))}
        with self.assertRaises(self.kms.exceptions.InvalidImportTokenException):
            self.kms.import_key_material(KeyId=other, **request)
        request["EncryptedKeyMaterial"] = bytes(256)
        with self.assertRaises(self.kms.exceptions.InvalidCiphertextException):
            self.kms.import_key_material(KeyId=key, **request)


class Macs(ImportCase):
    def test_macs_are_those_of_the_bytes(self):
        for bits in (224, 256, 384, 512):
            for algorithm in ALGORITHMS:
                with self.subTest(bits=bits, algorithm=algorithm):
                    key = self.external(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")
                    material = os.urandom(bits // 8)
                    self.bring(key, material, algorithm)
                    mac = self.kms.generate_mac(KeyId=key, Message=MESSAGE,
                                                MacAlgorithm=f"HMAC_SHA_{bits}")["Mac"]
                    self.assertEqual(mac, hmac.new(material, MESSAGE, f"sha{bits}").digest())


class Pairs(ImportCase):
    def assert_same_public_key(self, key, private):
        der = self.kms.get_public_key(KeyId=key)["PublicKey"]
        self.assertEqual(der, private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))

    def test_curves_sign(self):
        for spec, (curve, digest, algorithm) in CURVES.items():
            for wrapping in ALGORITHMS:
                with self.subTest(spec=spec, wrapping=wrapping):
                    key = self.external(KeySpec=spec, KeyUsage="SIGN_VERIFY")
                    private = ec.generate_private_key(curve)
                    self.bring(key, pkcs8(private), wrapping,
                               "RSA_3072" if spec == "ECC_NIST_P521" else "RSA_2048")
                    self.assert_same_public_key(key, private)
                    signature = self.kms.sign(KeyId=key, Message=MESSAGE,
                                              SigningAlgorithm=algorithm)["Signature"]
                    private.public_key().verify(signature, MESSAGE, ec.ECDSA(digest))
                    own = private.sign(MESSAGE, ec.ECDSA(digest))
                    self.assertTrue(self.kms.verify(KeyId=key, Message=MESSAGE, Signature=own,
                                                    SigningAlgorithm=algorithm)["SignatureValid"])
                    with self.assertRaises(InvalidSignature):
                        private.public_key().verify(signature, b"another", ec.ECDSA(digest))

    def test_curves_agree(self):
        for spec in ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"):
            key = self.external(KeySpec=spec, KeyUsage="KEY_AGREEMENT")
            private, peer = (ec.generate_private_key(CURVES[spec][0]) for _ in range(2))
            self.bring(key, pkcs8(private), "RSA_AES_KEY_WRAP_SHA_1")
            der = peer.public_key().public_bytes(serialization.Encoding.DER,
                                                 serialization.PublicFormat.SubjectPublicKeyInfo)
            answer = self.kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH",
                                                   PublicKey=der)
            self.assertEqual(answer["SharedSecret"],
                             private.exchange(ec.ECDH(), peer.public_key()))

    def test_rsa_decrypts_what_it_encrypted_and_signs(self):
        for bits in (2048, 3072, 4096):
            private = rsa.generate_private_key(65537, bits)
            for wrapping in ENVELOPES:
                with self.subTest(bits=bits, wrapping=wrapping):
                    key = self.external(KeySpec=f"RSA_{bits}", KeyUsage="ENCRYPT_DECRYPT")
                    self.bring(key, pkcs8(private), wrapping)
                    self.assert_same_public_key(key, private)
                    for name, digest in (("RSAES_OAEP_SHA_1", hashes.SHA1()),
                                         ("RSAES_OAEP_SHA_256", hashes.SHA256())):
                        oaep = padding.OAEP(padding.MGF1(digest), digest, None)
                        blob = private.public_key().encrypt(MESSAGE, oaep)
                        self.assertEqual(
                            self.kms.decrypt(KeyId=key, CiphertextBlob=blob,
                                             EncryptionAlgorithm=name)["Plaintext"], MESSAGE)
                        blob = self.kms.encrypt(KeyId=key, Plaintext=MESSAGE,
                                                EncryptionAlgorithm=name)["CiphertextBlob"]
                        self.assertEqual(private.decrypt(blob, oaep), MESSAGE)
            key = self.external(KeySpec=f"RSA_{bits}", KeyUsage="SIGN_VERIFY")
            self.bring(key, pkcs8(private), "RSA_AES_KEY_WRAP_SHA_1")
            signature = self.kms.sign(KeyId=key, Message=MESSAGE,
                                      SigningAlgorithm="RSASSA_PSS_SHA_256")["Signature"]
            private.public_key().verify(
                signature, MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32),
                hashes.SHA256())

    def test_another_pair_is_refused_for_ever(self):
        key = self.external(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        private = ec.generate_private_key(ec.SECP256R1())
        self.bring(key, pkcs8(private), "RSA_AES_KEY_WRAP_SHA_1")
        self.kms.delete_imported_key_material(KeyId=key)
        for other in (ec.generate_private_key(ec.SECP256R1()),
                      ec.generate_private_key(ec.SECP384R1())):
            with self.assertRaises(self.kms.exceptions.IncorrectKeyMaterialException):
                self.bring(key, pkcs8(other), "RSA_AES_KEY_WRAP_SHA_1")
        self.bring(key, pkcs8(private), "RSA_AES_KEY_WRAP_SHA_256")
        self.assert_same_public_key(key, private)


class Rotation(ImportCase):
    SETTINGS = {"rotation.rules": "2025"}

    def test_to_a_further_material(self):
        key, old, new = self.external(), os.urandom(32), os.urandom(32)
        first = self.bring(key, old)["KeyMaterialId"]
        blob = self.kms.encrypt(KeyId=key, Plaintext=MESSAGE)["CiphertextBlob"]
        second = self.bring(key, new, ImportType="NEW_KEY_MATERIAL",
                            KeyMaterialDescription="of 2026")["KeyMaterialId"]
        self.assertEqual(self.describe(key)["CurrentKeyMaterialId"], first)
        with self.assertRaises(self.kms.exceptions.KMSInvalidStateException):
            self.bring(key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")
        everything = {"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
        listed = self.kms.list_key_rotations(**everything)["Rotations"]
        self.assertEqual([(one["KeyMaterialId"], one["KeyMaterialState"]) for one in listed],
                         [(first, "CURRENT"), (second, "PENDING_ROTATION")])
        self.assertEqual(listed[1]["KeyMaterialDescription"], "of 2026")
        self.kms.rotate_key_on_demand(KeyId=key)
        self.assertEqual(self.describe(key)["CurrentKeyMaterialId"], second)
        listed = self.kms.list_key_rotations(**everything)["Rotations"]
        self.assertEqual([(one["KeyMaterialState"], one.get("RotationType")) for one in listed],
                         [("NON_CURRENT", None), ("CURRENT", "ON_DEMAND")])
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"], first)
        with self.assertRaises(self.kms.exceptions.KMSInvalidStateException):
            self.kms.rotate_key_on_demand(KeyId=key)
        self.kms.delete_imported_key_material(KeyId=key, KeyMaterialId=first)
        self.assertEqual(self.describe(key)["KeyState"], "PendingImport")
        self.bring(key, old, ImportType="EXISTING_KEY_MATERIAL")
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], MESSAGE)


if __name__ == "__main__":
    unittest.main()
