"""Arguments of the tools."""

import uuid

TOOLS = {
    "cycles_reserve", "cycles_commit", "cycles_release", "cycles_extend", "cycles_decide", "cycles_check_balance",
    "cycles_list_reservations", "cycles_get_reservation", "cycles_create_event",
}
READING = {"cycles_decide", "cycles_check_balance", "cycles_list_reservations", "cycles_get_reservation"}
ACTION = {"kind": "llm.completion", "name": "model"}


def tokens(amount):
    return {"unit": "TOKENS", "amount": amount}


def key():
    return str(uuid.uuid4())


def reserve(amount, **others):
    """The arguments of cycles_reserve, and of cycles_decide."""
    return {
        "idempotencyKey": key(), "subject": {"tenant": "acme"}, "action": ACTION, "estimate": tokens(amount)
    } | others


def commit(reservation, amount, **others):
    return {"reservationId": reservation, "idempotencyKey": key(), "actual": tokens(amount)} | others


def release(reservation, **others):
    return {"reservationId": reservation, "idempotencyKey": key()} | others


def extend(reservation, milliseconds):
    return {"reservationId": reservation, "idempotencyKey": key(), "extendByMs": milliseconds}


def event(amount, **others):
    return {"idempotencyKey": key(), "subject": {"tenant": "acme"}, "action": ACTION, "actual": tokens(amount)} | others


# Valid arguments of each tool.
GOOD = {
    "cycles_reserve": reserve(1), "cycles_commit": commit("r", 1), "cycles_release": release("r"),
    "cycles_extend": extend("r", 1_000), "cycles_decide": reserve(1),
    "cycles_check_balance": {"tenant": "acme"}, "cycles_list_reservations": {"tenant": "acme"},
    "cycles_get_reservation": {"reservationId": "r"}, "cycles_create_event": event(1),
}
