"""More than the service can take, by mistake or on purpose: memory and waits stay bounded, what is
admitted is answered, and afterwards everything is as before.

KEYHOLD_LONG=1 lasts as long as the real thing; without it the same is done for a few seconds.
"""

import os
import resource
import select
import socket
import threading
import time

import signing
from service import IS_SLOW, ServiceCase

LONG = bool(os.environ.get("KEYHOLD_LONG"))
# What a machine that is busy with other things may add to any wait.
PATIENCE = 60


def address(service):
    host, port = service.endpoint.removeprefix("http://").rsplit(":", 1)
    return host, int(port)


class Flood:
    """Threads that do one thing again and again until they are stopped."""

    def __init__(self, count, act):
        self._stop = threading.Event()
        self.done = 0
        self.failures = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(act,)) for _ in range(count)]

    def _run(self, act):
        while not self._stop.is_set():
            try:
                act()
                with self._lock:
                    self.done += 1
            except OSError as error:
                with self._lock:
                    self.failures.append(error)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


class OverloadCase(ServiceCase):
    def encrypt(self, client=None):
        return (client or self.kms).call("Encrypt", KeyId=self.key, Plaintext=signing.blob(b"x"))

    def setUp(self):
        super().setUp()
        self.key = self.new_key()["KeyId"]
        self.encrypt()

    def assert_serves(self):
        began = time.monotonic()
        with_new_connection = self.service.client()
        try:
            self.encrypt(with_new_connection)
        finally:
            with_new_connection.close()
        self.assertLess(time.monotonic() - began, PATIENCE)

    def connect(self):
        return socket.create_connection(address(self.service), timeout=PATIENCE)


class TenTimesCapacity(OverloadCase):
    """More callers than workers and places to wait: the rest are told so at once."""

    settings = {
        "http.light_work": "pool",
        "http.worker_threads": 2,
        "http.queue_limit": 8,
    }
    CALLERS = 100

    def test_admitted_calls_are_answered_and_the_others_throttled_and_nothing_stays(self):
        outcomes = {"answered": 0, "throttled": 0}
        wrong = []
        longest = [0.0]
        lock = threading.Lock()
        own = threading.local()

        def call():
            if not hasattr(own, "client"):
                own.client = self.service.client()
            began = time.monotonic()
            try:
                self.encrypt(own.client)
                outcome = "answered"
            except signing.KmsError as error:
                outcome = "throttled"
                if error.code != "ThrottlingException" or error.status != 400:
                    with lock:
                        wrong.append(str(error))
            with lock:
                outcomes[outcome] += 1
                longest[0] = max(longest[0], time.monotonic() - began)

        before = self.service.memory()
        with Flood(self.CALLERS, call) as flood:
            time.sleep(60 if LONG else 4)
        self.assertEqual(wrong, [])
        self.assertEqual(flood.failures, [])
        self.assertGreater(outcomes["answered"], 0)
        self.assertGreater(outcomes["throttled"], 0)
        self.assertLess(longest[0], PATIENCE)
        if not IS_SLOW:
            self.assertLess(self.service.memory() - before, 64 * 1024)
        self.assert_serves()


class Connections(OverloadCase):
    COUNT = 10_000

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.count = self.COUNT if LONG else 1000
        self.count = min(self.count, hard - 200)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, self.COUNT + 200), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.open = []
        self.addCleanup(lambda: [each.close() for each in self.open])

    def test_idle_connections_cost_little_and_hold_up_nobody(self):
        before = self.service.memory()
        for _ in range(self.count):
            self.open.append(self.connect())
        self.assert_serves()
        if not IS_SLOW:
            # In KiB, the buffer for a request's head among it.
            self.assertLess((self.service.memory() - before) / self.count, 32)

    def test_slow_senders_hold_up_nobody(self):
        for _ in range(self.count // 2):
            sender = self.connect()
            sender.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            self.open.append(sender)
        for sender in self.open:
            sender.sendall(b"a")
        self.assert_serves()

    def test_readers_that_do_not_read_hold_up_nobody_and_are_not_written_for(self):
        before = self.service.memory()
        # Requests without end and no answer taken: once the socket is full, nothing more is read.
        request = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" * 50
        for _ in range(20):
            reader = self.connect()
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.setblocking(False)
            self.open.append(reader)
        deadline = time.monotonic() + (30 if LONG else 3)
        while time.monotonic() < deadline:
            _, writable, _ = select.select([], self.open, [], 0.2)
            for reader in writable:
                try:
                    reader.send(request)
                except OSError:
                    pass
        self.assert_serves()
        if not IS_SLOW:
            self.assertLess(self.service.memory() - before, 64 * 1024)


class Floods(OverloadCase):
    SECONDS = 30 if LONG else 3

    def flood(self, act):
        before = self.service.memory()
        with Flood(8, act) as flood:
            deadline = time.monotonic() + self.SECONDS
            while time.monotonic() < deadline:
                self.assert_serves()
        self.assertGreater(flood.done, 0)
        if not IS_SLOW:
            self.assertLess(self.service.memory() - before, 64 * 1024)
        self.assert_serves()

    def test_connections_that_come_and_go(self):
        self.flood(lambda: self.connect().close())

    def test_handshakes_on_a_port_without_tls(self):
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512)

        def shake():
            with self.connect() as sock:
                sock.sendall(hello)
                sock.recv(4096)

        self.flood(shake)

    def test_headers_without_end(self):
        def send():
            with self.connect() as sock:
                try:
                    sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n")
                    for number in range(2000):
                        sock.sendall(b"X-Header-%d: %s\r\n" % (number, b"v" * 64))
                except (BrokenPipeError, ConnectionResetError):
                    return
                answer = sock.recv(65536)
                assert not answer or b" 431 " in answer.split(b"\r\n")[0], answer

        self.flood(send)

    def test_large_bodies_of_callers_without_a_signature(self):
        body = b"a" * 500_000

        def send():
            with self.connect() as sock:
                sock.sendall(
                    b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: TrentService.Encrypt\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body)
                )
                try:
                    sock.sendall(body)
                    sock.recv(4096)
                except (BrokenPipeError, ConnectionResetError):
                    pass

        self.flood(send)


class Smuggling(OverloadCase):
    """A front end and the service must not see two different requests in the same bytes."""

    AMBIGUOUS = {
        "two lengths": b"Content-Length: 5\r\nContent-Length: 60\r\n",
        "two equal lengths in a list": b"Content-Length: 5, 5\r\n",
        "a length with a sign": b"Content-Length: +5\r\n",
        "a negative length": b"Content-Length: -5\r\n",
        "a length in hexadecimal": b"Content-Length: 0x5\r\n",
        "a length with a blank before the colon": b"Content-Length : 5\r\n",
        "a length that overflows": b"Content-Length: 18446744073709551621\r\n",
        "length and coding": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "coding and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "a coding of another name": b"Transfer-Encoding: xchunked\r\n",
        "a coding with a tab": b"Transfer-Encoding:\tchunked, identity\r\n",
        "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "a coding on a folded line": b"Transfer-Encoding:\r\n chunked\r\n",
        "a name that only looks like it": b"Transfer-Encoding\x0b: chunked\r\n",
        "a bare line feed": b"X-Name: value\nTransfer-Encoding: chunked\r\n",
        "a NUL in a value": b"X-Name: a\x00b\r\nContent-Length: 5\r\n",
    }

    def test_an_ambiguous_frame_is_refused_and_what_follows_is_not_a_request(self):
        hidden = b"POST /hidden HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        for name, framing in self.AMBIGUOUS.items():
            with self.subTest(name), self.connect() as sock:
                sock.sendall(
                    b"POST / HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n0\r\n\r\n" + hidden
                )
                received = b""
                while True:
                    try:
                        more = sock.recv(65536)
                    except ConnectionResetError:
                        break
                    if not more:
                        break
                    received += more
                self.assertEqual(received.count(b"HTTP/1.1 "), 1, received)
                self.assertRegex(received, rb"^HTTP/1\.1 (400|413) ")
        self.assert_serves()

    def test_a_chunk_whose_size_is_not_one_ends_the_connection(self):
        for size in (b"-1", b"0x3", b"3 3", b"+3", b"ffffffffffffffffff", b""):
            with self.subTest(size), self.connect() as sock:
                sock.sendall(
                    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + size
                    + b"\r\nabc\r\n0\r\n\r\n"
                )
                self.assertRegex(sock.recv(65536), rb"^HTTP/1\.1 (400|413) ")
        self.assert_serves()


if __name__ == "__main__":
    import unittest

    unittest.main()
