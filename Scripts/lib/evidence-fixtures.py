"""Writes evidence envelopes and the key set that authorizes them. See Scripts/evidence-fixtures.sh."""

import base64
import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SERVER = "https://cycles.example.com/v1"
TRACE = "0af7651916cd43dd8448eb211c80319c"
ROTATION = 1810000000500


def key(name):
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


FIRST = key("cycles-evidence-v0.1-fixture-signer")
SECOND = key("cycles-evidence-v0.1-fixture-signer-after-rotation")


def public(private):
    return private.public_key().public_bytes_raw()


def canonical(document):
    # The canonical form of documents whose numbers are small and whose names are ASCII.
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def envelope(artifact, content, private, signer, issued, identifier=None, **members):
    document = {
        "schema_version": "cycles-evidence/v0.1",
        "artifact_type": artifact,
        "server_id": SERVER,
        "signer_did": signer,
        "issued_at_ms": issued,
        "trace_id": TRACE,
        "payload": {artifact: content},
        "evidence_id": "",
        "signature": "",
        **members,
    }
    document["evidence_id"] = identifier or hashlib.sha256(canonical(document)).hexdigest()
    document["signature"] = private.sign(canonical(document)).hex()
    return document


def did(kid, server=SERVER):
    return f"did:cycles:{hashlib.sha256(server.encode()).hexdigest()}#{kid}"


def jwk(private, kid, begin, end=None):
    x = base64.urlsafe_b64encode(public(private)).rstrip(b"=").decode()
    entry = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x, "kid": kid, "cycles_nbf_ms": begin}
    entry["cycles_exp_ms"] = end
    entry["status"] = "active" if end is None else "retired"
    return entry


amount = {"unit": "TOKENS", "amount": 100}
request = {
    "idempotency_key": "key-1",
    "subject": {"tenant": "acme", "agent": "researcher"},
    "action": {"kind": "model.call", "name": "gpt-4o"},
    "estimate": amount,
}
reserve = {
    "request": {**request, "metadata": {"text": "é\u2028\u0001\"\\/😀", "half": 0.5, "none": None, "list": [True, []]}},
    "response": {"decision": "ALLOW", "affected_scopes": ["tenant:acme"], "reservation_id": "rsv_1", "reserved": amount},
}
commit = {
    "reservation_id": "rsv_1",
    "request": {"idempotency_key": "key-2", "actual": amount},
    "response": {"status": "COMMITTED", "charged": amount},
}
release = {
    "reservation_id": "rsv_2",
    "request": {"idempotency_key": "key-3"},
    "response": {"status": "RELEASED", "released": amount},
}
error = {
    "endpoint": "POST /v1/reservations",
    "http_status": 409,
    "request": request,
    "response": {"error": "BUDGET_EXCEEDED", "message": "Too little remains", "request_id": "req_1"},
}
envelopes = {
    "reserve-key": envelope("reserve", reserve, FIRST, public(FIRST).hex(), ROTATION - 300),
    "commit-did": envelope("commit", commit, FIRST, did("first"), ROTATION - 1),
    "release-did-rotated": envelope("release", release, SECOND, did("second"), ROTATION),
    "error-key-rotated": envelope("error", error, SECOND, public(SECOND).hex(), ROTATION + 1),
    # Valid signatures of signers without authority.
    "unauthorized-expired": envelope("commit", commit, FIRST, did("first"), ROTATION),
    "unauthorized-early": envelope("commit", commit, SECOND, did("second"), ROTATION - 1),
    "unauthorized-expired-key": envelope("commit", commit, FIRST, public(FIRST).hex(), ROTATION),
    "unauthorized-server": envelope("commit", commit, FIRST, did("first", SERVER + "/"), ROTATION - 1),
    "unauthorized-kid": envelope("commit", commit, FIRST, did("third"), ROTATION - 1),
    # Signed by another key than the one that is named.
    "forged-did": envelope("commit", commit, SECOND, did("first"), ROTATION - 1),
    "forged-key": envelope("commit", commit, SECOND, public(FIRST).hex(), ROTATION - 1),
    # A valid signature of another id than the hash of the content.
    "forged-id": envelope("commit", commit, FIRST, did("first"), ROTATION - 1, identifier="0" * 64),
    # Valid signatures of signers in forms that nobody can look up.
    "unresolved-method": envelope("commit", commit, FIRST, "did:web:cycles.example.com#first", ROTATION - 1),
    "unresolved-fragment": envelope("commit", commit, FIRST, did("first").split("#")[0], ROTATION - 1),
    "unresolved-capitals": envelope("commit", commit, FIRST, public(FIRST).hex().upper(), ROTATION - 1),
    # Valid signatures of what is no envelope.
    "malformed-version": envelope(
        "commit", commit, FIRST, did("first"), ROTATION - 1, schema_version="cycles-evidence/v0.2"
    ),
    "malformed-payload": envelope(
        "commit", commit, FIRST, did("first"), ROTATION - 1, payload={"commit": commit, "release": release}
    ),
    "malformed-artifact": envelope("expire", commit, FIRST, did("first"), ROTATION - 1),
    "malformed-pairing": envelope("commit", commit, FIRST, did("first"), ROTATION - 1, payload={"release": release}),
    "malformed-member": envelope("commit", commit, FIRST, did("first"), ROTATION - 1, note="added"),
    "malformed-time": envelope("commit", commit, FIRST, did("first"), -1),
    "malformed-error": envelope(
        "error", {**error, "response": {**error["response"], "error": "NEW_CODE"}}, FIRST, did("first"), ROTATION - 1
    ),
}

folder = pathlib.Path(sys.argv[1])
folder.mkdir(exist_ok=True)
for old in folder.glob("*.json"):
    old.unlink()
for name, document in envelopes.items():
    (folder / f"{name}.json").write_bytes(canonical(document) + b"\n")
keys = {"keys": [jwk(FIRST, "first", 0, ROTATION), jwk(SECOND, "second", ROTATION)]}
(folder / "keys.json").write_bytes(canonical(keys) + b"\n")
print(f"{len(envelopes)} envelopes in {folder}")
