"""A small client for the service's wire: HTTP/1.1, awsJson1_1 and Signature Version 4 over Python's
standard library, so that tests can send what an SDK refuses to send.

The signing is written from the specification (Signature Version 4, "Create a signed AWS API
request") and shares nothing with the service.
"""

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import urllib.parse

TARGET_PREFIX = "TrentService."
CONTENT_TYPE = "application/x-amz-json-1.1"
ALGORITHM = "AWS4-HMAC-SHA256"


class KmsError(Exception):
    """An error answer of the service."""

    def __init__(self, answer):
        body = answer.json() if answer.body else {}
        self.status = answer.status
        self.code = body.get("__type", "")
        self.message = body.get("message", body.get("Message", ""))
        self.answer = answer
        super().__init__(f"{self.code} ({self.status}): {self.message}")


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    def json(self):
        return json.loads(self.body)


def blob(data):
    """Bytes as a blob member has them on the wire."""
    return base64.b64encode(data).decode()


def unblob(text):
    return base64.b64decode(text)


def amz_date(when=None):
    when = when or datetime.datetime.now(datetime.timezone.utc)
    return when.strftime("%Y%m%dT%H%M%SZ")


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(secret, date, region, service, terminator, text):
    key = _hmac(b"AWS4" + secret.encode(), date)
    for part in (region, service, terminator):
        key = _hmac(key, part)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def canonical_request(method, headers, signed, payload_hash, target="/"):
    """`headers`: (name, value) pairs in their order; `signed`: lower-case names."""
    path, _, query = target.partition("?")
    lines = []
    for name in sorted(signed):
        values = [" ".join(value.split()) for key, value in headers if key.lower() == name]
        lines.append(f"{name}:{','.join(values)}\n")
    return "\n".join([method, path, query, "".join(lines), ";".join(sorted(signed)), payload_hash])


def sign(
    headers,
    body,
    access_key,
    secret,
    region,
    *,
    service="kms",
    terminator="aws4_request",
    method="POST",
    target="/",
    signed=None,
    scope_date=None,
    payload_hash=None,
):
    """The Authorization value for a request whose headers have an X-Amz-Date.

    `signed`: names to sign; all headers if None. `scope_date`, `payload_hash`: for tests that lie.
    """
    stamp = next(value for name, value in headers if name.lower() == "x-amz-date")
    date = scope_date or stamp[:8]
    names = sorted(signed if signed is not None else {name.lower() for name, _ in headers})
    digest = payload_hash or hashlib.sha256(body).hexdigest()
    canonical = canonical_request(method, headers, names, digest, target)
    scope = f"{date}/{region}/{service}/{terminator}"
    text = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    return (
        f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, "
        f"Signature={signature(secret, date, region, service, terminator, text)}"
    )


class Client:
    """One caller in one region, on one connection that is kept open. Not for several threads.

    Nothing is ever sent twice: a call that got no answer raises OSError or HTTPException, and
    whether it had an effect is not known.
    """

    def __init__(self, endpoint, access_key, secret, region="us-east-1", timeout=60, tls=None):
        """`tls`: an SSLContext, for an endpoint of https."""
        self.endpoint = endpoint
        self.host = urllib.parse.urlsplit(endpoint).netloc
        self.access_key = access_key
        self.secret = secret
        self.region = region
        self.timeout = timeout
        self.tls = tls
        self._connection = None

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def headers(self, operation, *, date=None, extra=()):
        """Header pairs of a request, without Authorization and Content-Length."""
        pairs = [
            ("Host", self.host),
            ("Content-Type", CONTENT_TYPE),
            ("X-Amz-Date", date or amz_date()),
        ]
        if operation is not None:
            pairs.append(("X-Amz-Target", TARGET_PREFIX + operation))
        return pairs + list(extra)

    def signed_headers(self, operation, body, *, date=None, extra=(), region=None, **options):
        pairs = self.headers(operation, date=date, extra=extra)
        authorization = sign(
            pairs,
            body,
            options.pop("access_key", self.access_key),
            options.pop("secret", self.secret),
            region or self.region,
            **options,
        )
        return pairs + [("Authorization", authorization)]

    def request_bytes(self, operation, body, **options):
        """A whole signed request as it goes over the wire."""
        pairs = self.signed_headers(operation, body, **options)
        pairs.append(("Content-Length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in pairs)
        return f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body

    def exchange(self, pairs, body, method="POST", target="/"):
        """Sends exactly these headers (Content-Length is added) and this body."""
        if self._connection is None:
            self._connection = (
                http.client.HTTPSConnection(self.host, timeout=self.timeout, context=self.tls)
                if self.endpoint.startswith("https:")
                else http.client.HTTPConnection(self.host, timeout=self.timeout)
            )
        connection = self._connection
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in pairs:
                connection.putheader(name, value)
            if not any(
                name.lower() in ("content-length", "transfer-encoding") for name, _ in pairs
            ):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            answer = Answer(response.status, response.getheaders(), response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if response.will_close:
            self.close()
        return answer

    def post(self, operation, body, **options):
        """Sends raw body bytes to an operation, signed; answers whatever comes back."""
        return self.exchange(self.signed_headers(operation, body, **options), body)

    def call(self, operation, /, **members):
        """Calls an operation; answers its members. KmsError if it refuses."""
        answer = self.post(operation, json.dumps(members).encode())
        if answer.status != 200:
            raise KmsError(answer)
        return answer.json() if answer.body else {}

    def encrypt(self, key, plaintext, **members):
        """The CiphertextBlob, as bytes."""
        answer = self.call("Encrypt", KeyId=key, Plaintext=blob(plaintext), **members)
        return unblob(answer["CiphertextBlob"])

    def decrypt(self, ciphertext, **members):
        """The Plaintext, as bytes."""
        return unblob(self.call("Decrypt", CiphertextBlob=blob(ciphertext), **members)["Plaintext"])

    def pages(self, operation, element, /, **members):
        """Every element of a list, page by page."""
        while True:
            answer = self.call(operation, **members)
            yield from answer[element]
            if not answer["Truncated"]:
                return
            members["Marker"] = answer["NextMarker"]
