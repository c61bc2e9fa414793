#!/usr/bin/env python3
"""Asymmetric and HMAC keys through an unmodified boto3, held against Python's cryptography, and a
JWT that a standard library verifies.
"""

import base64
import hashlib
import hmac
import json
import unittest

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

import service
from boto3_test import client

MESSAGE = b"attack at dawn"
CURVES = {
    "ECC_NIST_P256": (ec.SECP256R1(), hashes.SHA256(), "ECDSA_SHA_256"),
    "ECC_NIST_P384": (ec.SECP384R1(), hashes.SHA384(), "ECDSA_SHA_384"),
    "ECC_NIST_P521": (ec.SECP521R1(), hashes.SHA512(), "ECDSA_SHA_512"),
    "ECC_SECG_P256K1": (ec.SECP256K1(), hashes.SHA256(), "ECDSA_SHA_256"),
}
HASHES = {"SHA_256": hashes.SHA256(), "SHA_384": hashes.SHA384(), "SHA_512": hashes.SHA512()}


class KeysCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = service.Service()
        cls.addClassCleanup(cls.service.close)
        cls.service.start()
        cls.kms = client(cls.service)
        cls.keys = {}

    def key(self, spec, usage):
        if (spec, usage) not in self.keys:
            made = self.kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
            self.assertEqual((made["KeySpec"], made["KeyUsage"]), (spec, usage))
            self.keys[spec, usage] = made["KeyId"]
        return self.keys[spec, usage]

    def public(self, key):
        der = self.kms.get_public_key(KeyId=key)["PublicKey"]
        loaded = serialization.load_der_public_key(der)
        # The one encoding that DER knows.
        again = loaded.public_bytes(serialization.Encoding.DER,
                                    serialization.PublicFormat.SubjectPublicKeyInfo)
        self.assertEqual(again, der)
        return loaded

    def sign(self, key, algorithm, message=MESSAGE, kind="RAW"):
        return self.kms.sign(KeyId=key, Message=message, MessageType=kind,
                             SigningAlgorithm=algorithm)["Signature"]

    def assert_verifies(self, key, algorithm, signature):
        self.assertIs(
            self.kms.verify(KeyId=key, Message=MESSAGE, Signature=signature,
                            SigningAlgorithm=algorithm)["SignatureValid"], True)
        with self.assertRaises(self.kms.exceptions.KMSInvalidSignatureException):
            self.kms.verify(KeyId=key, Message=b"another", Signature=signature,
                            SigningAlgorithm=algorithm)


class Signatures(KeysCase):
    def test_rsa(self):
        for bits in (2048, 3072, 4096):
            key = self.key(f"RSA_{bits}", "SIGN_VERIFY")
            public = self.public(key)
            self.assertEqual((public.key_size, public.public_numbers().e), (bits, 65537))
            for name, digest in HASHES.items():
                pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
                for scheme, by in (("PSS", pss), ("PKCS1_V1_5", padding.PKCS1v15())):
                    algorithm = f"RSASSA_{scheme}_{name}"
                    with self.subTest(bits=bits, algorithm=algorithm):
                        hashed = hashes.Hash(digest)
                        hashed.update(MESSAGE)
                        for signature in (self.sign(key, algorithm),
                                          self.sign(key, algorithm, hashed.finalize(), "DIGEST")):
                            public.verify(signature, MESSAGE, by, digest)
                            self.assert_verifies(key, algorithm, signature)

    def test_ecdsa(self):
        for spec, (curve, digest, algorithm) in CURVES.items():
            with self.subTest(spec):
                key = self.key(spec, "SIGN_VERIFY")
                public = self.public(key)
                self.assertEqual(public.curve.name, curve.name)
                for _ in range(20):  # lengths of DER integers vary
                    signature = self.sign(key, algorithm)
                    public.verify(signature, MESSAGE, ec.ECDSA(digest))
                self.assert_verifies(key, algorithm, signature)

    def test_ed25519(self):
        key = self.key("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
        signature = self.sign(key, "ED25519_SHA_512")
        self.public(key).verify(signature, MESSAGE)
        self.assert_verifies(key, "ED25519_SHA_512", signature)

    def test_a_signature_of_another_key_is_none(self):
        key = self.key("ECC_NIST_P256", "SIGN_VERIFY")
        stranger = ec.generate_private_key(ec.SECP256R1())
        signature = stranger.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
        with self.assertRaises(self.kms.exceptions.KMSInvalidSignatureException):
            self.kms.verify(KeyId=key, Message=MESSAGE, Signature=signature,
                            SigningAlgorithm="ECDSA_SHA_256")
        with self.assertRaises(InvalidSignature):
            self.public(key).verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))

    def test_jwts_are_verified_by_a_standard_library(self):
        claims = {"sub": "somebody", "scope": "read"}

        def part(value):
            return base64.urlsafe_b64encode(value).rstrip(b"=")

        def token(algorithm, sign):
            head = part(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
            signed = head + b"." + part(json.dumps(claims).encode())
            return (signed + b"." + part(sign(signed))).decode()

        rsa_key = self.key("RSA_2048", "SIGN_VERIFY")
        for name, algorithm in (("RS256", "RSASSA_PKCS1_V1_5_SHA_256"),
                                ("PS512", "RSASSA_PSS_SHA_512")):
            made = token(name, lambda data: self.sign(rsa_key, algorithm, data))
            self.assertEqual(jwt.decode(made, self.public(rsa_key), algorithms=[name]), claims)
        ed_key = self.key("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
        made = token("EdDSA", lambda data: self.sign(ed_key, "ED25519_SHA_512", data))
        self.assertEqual(jwt.decode(made, self.public(ed_key), algorithms=["EdDSA"]), claims)

        # JWS has r and s side by side where AWS has DER.
        ec_key = self.key("ECC_NIST_P256", "SIGN_VERIFY")

        def es256(data):
            r, s = decode_dss_signature(self.sign(ec_key, "ECDSA_SHA_256", data))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

        made = token("ES256", es256)
        self.assertEqual(jwt.decode(made, self.public(ec_key), algorithms=["ES256"]), claims)
        with self.assertRaises(jwt.InvalidSignatureError):
            jwt.decode(made[:-8] + "AAAAAAAA", self.public(ec_key), algorithms=["ES256"])


class Macs(KeysCase):
    def test_lengths_and_verification(self):
        for bits in (224, 256, 384, 512):
            key = self.key(f"HMAC_{bits}", "GENERATE_VERIFY_MAC")
            algorithm = f"HMAC_SHA_{bits}"
            mac = self.kms.generate_mac(KeyId=key, Message=MESSAGE, MacAlgorithm=algorithm)["Mac"]
            self.assertEqual(len(mac), bits // 8)
            self.assertIs(self.kms.verify_mac(KeyId=key, Message=MESSAGE, MacAlgorithm=algorithm,
                                              Mac=mac)["MacValid"], True)
            guess = hmac.new(bytes(bits // 8), MESSAGE, hashlib.sha256).digest()
            with self.assertRaises(self.kms.exceptions.KMSInvalidMacException):
                self.kms.verify_mac(KeyId=key, Message=MESSAGE, MacAlgorithm=algorithm, Mac=guess)


class Agreement(KeysCase):
    def test_the_secret_is_the_peers(self):
        for spec in ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"):
            key = self.key(spec, "KEY_AGREEMENT")
            peer = ec.generate_private_key(CURVES[spec][0])
            der = peer.public_key().public_bytes(serialization.Encoding.DER,
                                                 serialization.PublicFormat.SubjectPublicKeyInfo)
            answer = self.kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH",
                                                   PublicKey=der)
            self.assertEqual(answer["SharedSecret"], peer.exchange(ec.ECDH(), self.public(key)))


class Encryption(KeysCase):
    def test_what_cryptography_encrypts_is_decrypted(self):
        for bits in (2048, 3072, 4096):
            key = self.key(f"RSA_{bits}", "ENCRYPT_DECRYPT")
            public = self.public(key)
            for name, digest in (("RSAES_OAEP_SHA_1", hashes.SHA1()),
                                 ("RSAES_OAEP_SHA_256", hashes.SHA256())):
                with self.subTest(bits=bits, algorithm=name):
                    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
                    largest = bytes(bits // 8 - 2 * digest.digest_size - 2)
                    for message in (MESSAGE, largest):
                        for blob in (public.encrypt(message, oaep),
                                     self.kms.encrypt(KeyId=key, Plaintext=message,
                                                      EncryptionAlgorithm=name)["CiphertextBlob"]):
                            answer = self.kms.decrypt(KeyId=key, CiphertextBlob=blob,
                                                      EncryptionAlgorithm=name)
                            self.assertEqual(answer["Plaintext"], message)
                            self.assertNotIn("KeyMaterialId", answer)
                    with self.assertRaises(self.kms.exceptions.InvalidCiphertextException):
                        self.kms.decrypt(KeyId=key, CiphertextBlob=bytes(bits // 8),
                                         EncryptionAlgorithm=name)


class DataKeyPairs(KeysCase):
    def test_load_and_decrypt(self):
        parent = self.kms.create_key()["KeyMetadata"]["KeyId"]
        kinds = {"RSA_2048": rsa.RSAPrivateKey, "RSA_3072": rsa.RSAPrivateKey,
                 "RSA_4096": rsa.RSAPrivateKey, "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey,
                 **{spec: ec.EllipticCurvePrivateKey for spec in CURVES}}
        for spec, kind in kinds.items():
            with self.subTest(spec):
                made = self.kms.generate_data_key_pair(KeyId=parent, KeyPairSpec=spec)
                private = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
                self.assertIsInstance(private, kind)
                public = private.public_key().public_bytes(
                    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
                self.assertEqual(public, made["PublicKey"])
                opened = self.kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"])
                self.assertEqual(opened["Plaintext"], made["PrivateKeyPlaintext"])
                quiet = self.kms.generate_data_key_pair_without_plaintext(KeyId=parent,
                                                                          KeyPairSpec=spec)
                self.assertNotIn("PrivateKeyPlaintext", quiet)


class AfterARestart(KeysCase):
    def test_every_key_goes_on(self):
        signing = self.key("ECC_NIST_P256", "SIGN_VERIFY")
        mac_key = self.key("HMAC_256", "GENERATE_VERIFY_MAC")
        signature = self.sign(signing, "ECDSA_SHA_256")
        request = {"KeyId": mac_key, "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
        mac = self.kms.generate_mac(**request)["Mac"]
        public = self.kms.get_public_key(KeyId=signing)["PublicKey"]
        self.service.kill()
        self.service.start()
        self.kms = client(self.service)
        self.assertEqual(self.kms.get_public_key(KeyId=signing)["PublicKey"], public)
        self.assert_verifies(signing, "ECDSA_SHA_256", signature)
        self.assert_verifies(signing, "ECDSA_SHA_256", self.sign(signing, "ECDSA_SHA_256"))
        self.assertEqual(self.kms.generate_mac(**request)["Mac"], mac)


if __name__ == "__main__":
    unittest.main()
