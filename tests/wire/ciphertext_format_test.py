#!/usr/bin/env python3
"""The page of Python in docs/ciphertext-format.md decrypts what the service encrypted, over PKCS#11
alone and with the service stopped. Needs Debian's python3-pykcs11.
"""

import os
import pathlib
import re
import unittest

import PyKCS11

import service

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "ciphertext-format.md"


def page_of_python():
    """What the document's Python block defines."""
    (source,) = re.findall(
        r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    defined = {}
    exec(compile(source, DOCUMENT, "exec"), defined)  # pylint: disable=exec-used
    return defined


class CiphertextFormat(unittest.TestCase):
    CONTEXTS = ({}, {"a": "1"}, {"b": "", "a": "x" * 300, "ü": "€", "Z": "upper case first"})

    @classmethod
    def setUpClass(cls):
        keyhold = service.Service()
        cls.addClassCleanup(keyhold.close)
        kms = keyhold.start().client()
        cls.messages = []
        for _ in range(2):
            key = kms.call("CreateKey")["KeyMetadata"]["KeyId"]
            for number in range(3):
                if number:
                    kms.call("RotateKeyOnDemand", KeyId=key)
                for context in cls.CONTEXTS:
                    for plaintext in (b"x", os.urandom(4096)):
                        ciphertext = kms.encrypt(key, plaintext, EncryptionContext=context)
                        cls.messages.append((plaintext, context, ciphertext))
        keyhold.stop()

        # SoftHSM reads its configuration when it is loaded.
        os.environ["SOFTHSM2_CONF"] = keyhold.data + "/token/softhsm2.conf"
        library = PyKCS11.PyKCS11Lib()
        library.load(service.softhsm_module())
        (slot,) = [
            slot
            for slot in library.getSlotList(tokenPresent=True)
            if library.getTokenInfo(slot).label.strip() == "keyhold"
        ]
        cls.session = library.openSession(slot, PyKCS11.CKF_SERIAL_SESSION)
        with open(keyhold.data + "/pin", encoding="ascii") as pin:
            cls.session.login(pin.read().strip())
        cls.page = page_of_python()

    def decrypt(self, ciphertext, context):
        return self.page["decrypt"](self.session, ciphertext, context)

    def test_it_decrypts_ciphertexts_of_every_material_and_context(self):
        for plaintext, context, ciphertext in self.messages:
            self.assertEqual(self.decrypt(ciphertext, context), plaintext)

    def test_another_context_does_not_decrypt(self):
        for _, context, ciphertext in self.messages[:6]:
            with self.assertRaises(PyKCS11.PyKCS11Error):
                self.decrypt(ciphertext, {**context, "more": "1"})

    def test_a_changed_header_is_told_from_its_tag_or_names_nothing(self):
        _, context, ciphertext = self.messages[0]
        end_of_tag = 5 + ciphertext[4] + 32 + 15 + 16
        for position in range(end_of_tag):
            forged = bytearray(ciphertext)
            forged[position] ^= 1
            with self.assertRaises((ValueError, PyKCS11.PyKCS11Error)):
                self.decrypt(bytes(forged), context)

    def test_each_part_is_as_long_as_the_document_says(self):
        for plaintext, _, ciphertext in self.messages:
            self.assertEqual(len(ciphertext), 5 + 36 + 32 + 15 + 16 + 1 + 12 + len(plaintext) + 16)


if __name__ == "__main__":
    unittest.main()
