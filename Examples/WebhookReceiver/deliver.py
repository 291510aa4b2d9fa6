"""Delivers an event to a webhook receiver, genuine, repeated and forged, and checks the answers.

Usage: deliver.py URL SECRET
"""

import hashlib
import hmac
import json
import sys
import urllib.error
import urllib.request

url, secret = sys.argv[1:]
body = json.dumps(
    {
        "event_id": "evt_1",
        "event_type": "budget.exhausted",
        "category": "budget",
        "timestamp": "2026-01-01T00:00:00Z",
        "tenant_id": "acme",
        "source": "cycles-server",
        "data": {"scope": "tenant:acme"},
    }
).encode()


def deliver(body, key, event="evt_1"):
    headers = {"Content-Type": "application/json", "X-Cycles-Event-Id": event}
    if key is not None:
        headers["X-Cycles-Signature"] = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


answers = {
    "unsigned": (deliver(body, None), 401),
    "forged": (deliver(body, "another secret"), 401),
    "genuine": (deliver(body, secret), 204),
    "repeated": (deliver(body, secret), 200),
    "replayed under another id": (deliver(body, secret, "evt_2"), 400),
}
for name, (status, expected) in answers.items():
    print(f"{name}: {status}")
sys.exit(0 if all(status == expected for status, expected in answers.values()) else 1)
