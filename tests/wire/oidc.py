"""An OpenID provider: its keys, its tokens, and the HTTPS server that its key set is had from."""

import base64
import datetime
import http.server
import ipaddress
import json
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

ISSUER = "https://oidc.example.com/cluster"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size):
    return base64url(value.to_bytes(size, "big"))


class Issuer:
    """An OpenID provider with a key of each kind."""

    def __init__(self):
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())

    def key_set(self):
        rsa_numbers = self.rsa.public_key().public_numbers()
        ec_numbers = self.ec.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kid": "r",
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "n": number(rsa_numbers.n, 256),
                    "e": number(rsa_numbers.e, 3),
                },
                {
                    "kid": "e",
                    "kty": "EC",
                    "crv": "P-256",
                    "x": number(ec_numbers.x, 32),
                    "y": number(ec_numbers.y, 32),
                },
            ]
        }

    def token(self, kid="r", algorithm=None, header=(), **claims):
        now = int(time.time())
        algorithm = algorithm or {"r": "RS256", "e": "ES256"}.get(kid, "RS256")
        claims = {
            "iss": ISSUER,
            "aud": ["sts.amazonaws.com"],
            "sub": "system:serviceaccount:shop:app",
            "exp": now + 600,
            "nbf": now - 10,
            **claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        head = {"alg": algorithm, "kid": kid, **dict(header)}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims)).encode()
        if kid == "e":
            r, s = decode_dss_signature(self.ec.sign(text, ec.ECDSA(hashes.SHA256())))
            made = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        else:
            made = self.rsa.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return text.decode() + "." + base64url(made)


class Authority:
    """Makes certificates for servers; `certificate` is the path of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.certificate = self._write("authority.pem", self._sign(self.name, self.key, None))

    def _write(self, name, certificate, key=None):
        path = f"{self.folder}/{name}"
        with open(path, "wb") as file:
            file.write(certificate.public_bytes(serialization.Encoding.PEM))
            if key is not None:
                file.write(
                    key.private_bytes(
                        serialization.Encoding.PEM,
                        serialization.PrivateFormat.PKCS8,
                        serialization.NoEncryption(),
                    )
                )
        return path

    def _sign(self, subject, key, host):
        now = datetime.datetime.utcnow()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host is not None:
            names = [x509.IPAddress(ipaddress.ip_address(host))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def server_certificate(self, host):
        """The path of a file with a certificate for that address, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        return self._write(f"server-{host}.pem", self._sign(name, key, host), key)


class KeyServer:
    """An HTTPS server on 127.0.0.1. `answers`: from path to (status, headers, body, seconds)."""

    def __init__(self, certificate):
        self.answers = {}
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802: http.server's name
                outer.asked.append(self.path)
                status, headers, body, seconds = outer.answers.get(self.path, (404, {}, b"", 0))
                time.sleep(seconds)
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # the client went away, as it should from some answers

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # a client that does not like the certificate

        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def address(self, path):
        return f"https://127.0.0.1:{self.port}{path}"

    def serve(self, path, body, status=200, headers=(), seconds=0):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[path] = (status, dict(headers), text, seconds)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
