#!/usr/bin/env python3
"""A service on a token that is no SoftHSM: kryoptic, which has ML-DSA. Keys are made, used, rotated,
and there after a restart."""

import base64
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

import signing
import tokens

ACCESS_KEY = re.compile(r"aws_access_key_id = (\S+)\naws_secret_access_key = (\S+)\n")
PROFILES = pathlib.Path(__file__).resolve().parents[2] / "hsm-config"
MESSAGE = signing.blob(b"attack at dawn")


# Puts the public key of one pair beside the other pair, as whoever is logged in can. Keys are found by
# their points, which are the last bytes of what a token shows.
PLANT = """
import sys
import PyKCS11
module, pin, victim, intruder = sys.argv[1:]
library = PyKCS11.PyKCS11Lib()
library.load(module)
(slot,) = library.getSlotList()
session = library.openSession(slot, PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION)
session.login(pin)
shown = {}
for key in session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PUBLIC_KEY)]):
    values = session.getAttributeValue(
        key, [PyKCS11.CKA_ID, PyKCS11.CKA_EC_POINT, PyKCS11.CKA_EC_PARAMS, PyKCS11.CKA_KEY_TYPE]
    )
    if values[1]:
        shown[bytes(values[1])[-32:].hex()] = (key, values)
original, (name, *_) = shown[victim]
_, (_, point, parameters, kind) = shown[intruder]
forged = [
    (PyKCS11.CKA_CLASS, PyKCS11.CKO_PUBLIC_KEY), (PyKCS11.CKA_KEY_TYPE, kind),
    (PyKCS11.CKA_TOKEN, True), (PyKCS11.CKA_PRIVATE, False), (PyKCS11.CKA_VERIFY, True),
    (PyKCS11.CKA_ID, tuple(name)), (PyKCS11.CKA_EC_POINT, tuple(point)),
    (PyKCS11.CKA_EC_PARAMS, tuple(parameters)),
]
session.createObject(forged)
# And so that it is the one to be found first.
session.destroyObject(original)
"""


class OnKryoptic(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if reason := tokens.Kryoptic.missing():
            raise unittest.SkipTest(reason)
        cls.folder = tempfile.mkdtemp(prefix="keyhold-kryoptic-", dir="/dev/shm")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.token = token = tokens.Kryoptic(cls.folder)
        token.prepare()
        cls.config = os.path.join(cls.folder, "keyhold.toml")
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write(
                f'listen.address = "127.0.0.1:0"\nadmin.listen = "127.0.0.1:0"\n'
                f'data.folder = "{cls.folder}/data"\n'
                f'token.profile = "{PROFILES}/{token.name}.toml"\n'
                f'token.module = "{token.module()}"\ntoken.pin_source = "file:{token.pin_file}"\n'
                f'profile.module.env.KRYOPTIC_CONF = "{token.configuration}"\n'
            )
        done = subprocess.run(cls.command("init"), capture_output=True, text=True, check=True)
        cls.access_key = ACCESS_KEY.search(done.stdout).groups()

    @classmethod
    def command(cls, verb):
        return [os.environ["KEYHOLD_BINARY"], verb, "--config", cls.config]

    def setUp(self):
        self.start()

    def tearDown(self):
        self.stop()

    def start(self):
        log_path = os.path.join(self.folder, "log")
        with open(log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command("serve"), stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            text = pathlib.Path(log_path).read_text(encoding="utf-8")
            port = re.search(r"listening at 127\.0\.0\.1:(\d+)", text)
            if port and "everything is loaded" in text:
                break
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.fail(text)
            time.sleep(0.05)
        self.kms = signing.Client(f"http://127.0.0.1:{port.group(1)}", *self.access_key)

    def stop(self):
        self.kms.close()
        self.process.terminate()
        self.assertEqual(self.process.wait(60), 0)

    def new_key(self, **members):
        return self.kms.call("CreateKey", **members)["KeyMetadata"]["KeyId"]

    def refused(self, code, operation, /, **members):
        with self.assertRaises(signing.KmsError) as caught:
            self.kms.call(operation, **members)
        self.assertEqual(caught.exception.code, code)

    def test_ml_dsa_signs_and_verifies_before_and_after_a_restart(self):
        keys = {}
        for spec in ("ML_DSA_44", "ML_DSA_65", "ML_DSA_87"):
            key = self.new_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
            with_key = {"KeyId": key, "SigningAlgorithm": "ML_DSA_SHAKE_256"}
            signature = self.kms.call("Sign", **with_key, Message=MESSAGE)["Signature"]
            public_key = self.kms.call("GetPublicKey", KeyId=key)["PublicKey"]
            keys[key] = (with_key, signature, public_key)
        self.stop()
        self.start()
        for key, (with_key, signature, public_key) in keys.items():
            for made in (signature, self.kms.call("Sign", **with_key, Message=MESSAGE)["Signature"]):
                answer = self.kms.call("Verify", **with_key, Message=MESSAGE, Signature=made)
                self.assertTrue(answer["SignatureValid"])
            invalid = "KMSInvalidSignatureException"
            other = signing.blob(b"attack at dusk")
            self.refused(invalid, "Verify", **with_key, Message=other, Signature=signature)
            for foreign, (_, another, _) in keys.items():
                if foreign != key:
                    self.refused(invalid, "Verify", **with_key, Message=MESSAGE, Signature=another)
            self.assertEqual(self.kms.call("GetPublicKey", KeyId=key)["PublicKey"], public_key)

    def test_anothers_public_key_under_its_name_verifies_nothing(self):
        def new():
            key = self.new_key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
            spki = base64.b64decode(self.kms.call("GetPublicKey", KeyId=key)["PublicKey"])
            with_key = {"KeyId": key, "SigningAlgorithm": "ED25519_PH_SHA_512"}
            digest = {"Message": signing.blob(bytes(64)), "MessageType": "DIGEST"}
            signature = self.kms.call("Sign", **with_key, **digest)["Signature"]
            self.kms.call("Verify", **with_key, **digest, Signature=signature)
            return {**with_key, **digest}, signature, spki[-32:].hex()

        victim, _, victims_point = new()
        _, forged, intruders_point = new()
        self.stop()
        subprocess.run(
            ["/usr/bin/python3", "-c", PLANT, self.token.module(), tokens.PIN]
            + [victims_point, intruders_point],
            env={**os.environ, "KRYOPTIC_CONF": self.token.configuration},
            check=True,
        )
        self.start()
        with self.assertRaises(signing.KmsError):
            self.kms.call("Verify", **victim, Signature=forged)

    def test_what_no_mechanism_takes_is_refused(self):
        key = self.new_key(KeySpec="ML_DSA_65", KeyUsage="SIGN_VERIFY")
        with_key = {"KeyId": key, "SigningAlgorithm": "ML_DSA_SHAKE_256"}
        external = {"Message": signing.blob(bytes(64)), "MessageType": "EXTERNAL_MU"}
        self.refused("UnsupportedOperationException", "Sign", **with_key, **external)
        signature = self.kms.call("Sign", **with_key, Message=MESSAGE)["Signature"]
        self.refused(
            "UnsupportedOperationException", "Verify", **with_key, **external, Signature=signature
        )
        self.refused("UnsupportedOperationException", "CreateKey", KeySpec="ECC_SECG_P256K1",
                     KeyUsage="SIGN_VERIFY")

    def test_symmetric_keys_rotate_and_decrypt_what_they_encrypted(self):
        key = self.new_key()
        ciphertexts = []
        for rotations in range(3):
            ciphertexts.append(self.kms.encrypt(key, b"attack at dawn"))
            self.kms.call("RotateKeyOnDemand", KeyId=key)
            deadline = time.monotonic() + 60
            while len(self.kms.call("ListKeyRotations", KeyId=key)["Rotations"]) <= rotations:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
        self.stop()
        self.start()
        for ciphertext in ciphertexts:
            self.assertEqual(self.kms.decrypt(ciphertext), b"attack at dawn")

    def test_bad_blocks_are_the_callers_and_the_token_serves_on(self):
        key = self.new_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        with_key = {"KeyId": key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
        sealed = self.kms.call("Encrypt", **with_key, Plaintext=MESSAGE)["CiphertextBlob"]
        for _ in range(20):
            bad = signing.blob(bytes([1]) * 256)
            self.refused("InvalidCiphertextException", "Decrypt", **with_key, CiphertextBlob=bad)
            opened = self.kms.call("Decrypt", **with_key, CiphertextBlob=sealed)
            self.assertEqual(opened["Plaintext"], MESSAGE)


if __name__ == "__main__":
    unittest.main()
