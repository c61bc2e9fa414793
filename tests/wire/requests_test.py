#!/usr/bin/env python3
"""What is a request, and what is not: bodies, sockets, regions.

Needs nothing but Python.
"""

import json
import socket
import time
import unittest

import signing
from expectations import key_arn, LOST_KEY_TEXT, UNKNOWN_KEY
from service import ServiceCase
from signing import blob, unblob


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


if __name__ == "__main__":
    unittest.main()
