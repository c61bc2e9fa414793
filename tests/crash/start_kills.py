#!/usr/bin/env python3
"""Kills the service while it starts, again and again, and looks whether anything was lost.

SoftHSM rewrites `token.object` in place while somebody logs in; killed in between, it is empty, and
with it every private key of the token is gone. The service must put its copy back and say so. The
moments of the kills are spread over the whole start; that one is too short to be hit often, so what
such a kill leaves is also made on purpose.

A very first start is killed as well, each time on a new folder: what it leaves must do for a start.

    start_kills.py [--kills N] [--first N] [--seed N]     with KEYHOLD_BINARY in the environment
"""

import argparse
import glob
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "wire"))

import service  # noqa: E402
import signing  # noqa: E402


def timed_start(keyhold):
    began = time.monotonic()
    keyhold.start()
    return time.monotonic() - began


def make_things(client):
    """A key with a rotation, an alias, and ciphertexts of both materials."""
    key = client.call("CreateKey", Description="kept")["KeyMetadata"]["KeyId"]
    client.call("CreateAlias", AliasName="alias/kept", TargetKeyId=key)
    ciphertexts = [client.encrypt(key, b"first")]
    client.call("RotateKeyOnDemand", KeyId=key)
    ciphertexts.append(client.encrypt(key, b"second"))
    return key, ciphertexts


def problems(client, key, ciphertexts):
    metadata = client.call("DescribeKey", KeyId="alias/kept")["KeyMetadata"]
    if (metadata["KeyId"], metadata["Description"]) != (key, "kept"):
        yield f"the alias leads to {metadata}"
    if [client.decrypt(ciphertext) for ciphertext in ciphertexts] != [b"first", b"second"]:
        yield "another plaintext"
    if len(list(client.pages("ListKeyRotations", "Rotations", KeyId=key))) != 1:
        yield "another number of rotations"
    if client.decrypt(client.encrypt(key, b"now")) != b"now":
        yield "a new ciphertext does not decrypt"


def kill_within(keyhold, delay):
    """Starts the service and kills it that much later; whether it was ready before that."""
    keyhold.launch()
    time.sleep(delay)
    with open(keyhold._out, encoding="utf-8") as out:  # pylint: disable=protected-access
        ready = service.READY in out.read()
    died = keyhold.process.poll()
    if died is not None:
        raise RuntimeError(f"the service ended by itself with {died}")
    keyhold.kill()
    return ready


def token_objects(keyhold):
    return glob.glob(keyhold.data + "/token/tokens/*/token.object")


def empty_token_object(keyhold):
    """Leaves what a kill in the middle of C_Login leaves."""
    (path,) = token_objects(keyhold)
    os.truncate(path, 0)


def kill_first_start(delay):
    """A new folder whose first start is killed: the next start makes a whole service of it."""
    keyhold = service.Service()
    try:
        kill_within(keyhold, delay)
        keyhold.start()
        client = keyhold.client()
        key, ciphertexts = make_things(client)
        found = list(problems(client, key, ciphertexts)) + keyhold.reconcile()["alarms"]
        if found:
            raise RuntimeError("after a first start was killed: " + "; ".join(found))
    except service.StartFailed as error:
        raise RuntimeError(f"no start after a first start was killed: {error}") from error
    finally:
        keyhold.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=20, help="kills of a very first start")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", default=None)
    arguments = parser.parse_args()
    seed = arguments.seed or os.urandom(4).hex()
    print(f"kills while starting: seed {seed}", flush=True)
    chance = random.Random(seed)

    keyhold = service.Service()
    ready = 0
    try:
        first_duration = timed_start(keyhold)
        key, ciphertexts = make_things(keyhold.client())
        keyhold.stop()
        for _ in range(arguments.first):
            kill_first_start(chance.uniform(0, first_duration))
        print(f"{arguments.first} first starts killed", flush=True)
        duration = timed_start(keyhold)
        keyhold.stop()
        for kill in range(1, arguments.kills + 1):
            if chance.random() < 0.3:
                empty_token_object(keyhold)
            ready += kill_within(keyhold, chance.uniform(0, duration))
            # Every tenth time a whole start; the others pile kill upon kill.
            if kill % 10 and kill != arguments.kills:
                continue
            empty_token_object(keyhold)
            said = len(keyhold.log())
            keyhold.start()
            if "token.object" not in keyhold.log()[said:]:
                raise RuntimeError("the copy of token.object was put back in silence")
            found = list(problems(keyhold.client(), key, ciphertexts))
            report = keyhold.reconcile()
            found += report["alarms"]
            if found:
                raise RuntimeError("; ".join(found))
            keyhold.stop()
            print(f"{kill} kills, {ready} of them after it was ready", flush=True)
    except (RuntimeError, service.StartFailed, signing.KmsError, OSError, TimeoutError) as error:
        print(f"FAILED: {error!r}\nthe service's log ends:\n{keyhold.log()[-3000:]}", flush=True)
        return 1
    finally:
        keyhold.close()
    print(f"start-kills: {arguments.kills + arguments.first} passed, 0 failed, 0 skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
