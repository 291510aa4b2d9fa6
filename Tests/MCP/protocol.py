"""The protocol, line by line: handshakes, versions, ids, and what no correct client sends."""

import json

from arguments import GOOD, commit, event, reserve
from reporting import case, check
from world import Era

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, UNSUPPORTED_VERSION = -32700, -32600, -32601, -32602, -32022


@case("handshake", eras=False)
def versions_of_the_handshake(world):
    """The server takes the two versions that it knows, and offers the later one for any other."""
    url = world.authority().url
    for asked, granted in [
        ("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"), ("tomorrow", "2025-11-25"), ("", "2025-11-25"),
    ]:
        era = Era("legacy", "legacy", granted)
        session = world.unopened(era, url)
        answer = session.finish(session.start("initialize", era.handshake | {"protocolVersion": asked}))
        result = answer.get("result", {})
        check(result.get("protocolVersion") == granted, f"{asked!r} is answered with {granted}: {answer}")
        era.validate("initialize", result)
        check(result["serverInfo"]["name"] and result["serverInfo"]["version"], "the server names itself")
        check({"tools", "resources", "prompts"} <= result["capabilities"].keys(), "the server's capabilities")
        session.send({"method": "notifications/initialized"})
        session.is_silent("the notification after the handshake")
        check(len(session.request("tools/list")["tools"]) == 9, "the tools of this version")
        session.close()



@case("handshake", eras=False)
def versions_of_requests(world):
    """A request of a version that the server does not know is refused, and the next one is served."""
    era = Era("2026-07-28", "2026-07-28", "2026-07-28")
    session = world.unopened(era, world.authority().url)
    check(len(session.request("tools/list")["tools"]) == 9, "the first request needs no handshake")
    for version in ["2025-11-25", "2099-01-01", "", "1"]:
        for method in ["server/discover", "tools/list", "tools/call", "no/such/method"]:
            session.send({"id": f"{method} {version}", "method": method, "params": {"_meta": Era.meta(version)}})
            error = session.is_error(session.finish(f"{method} {version}"), UNSUPPORTED_VERSION, f"{method} {version!r}")
            check("2026-07-28" in error["data"]["supported"], f"the error names the versions: {error}")
            check(error["data"]["requested"] == version, f"the error names the version of the request: {error}")
    session.send({"id": "n", "method": "tools/list", "params": {"_meta": Era.meta(20260728)}})
    session.is_error(session.finish("n"), (INVALID_PARAMS, UNSUPPORTED_VERSION), "a version that is no string")
    discovered = session.request("server/discover")
    check("2026-07-28" in discovered["supportedVersions"], f"the versions: {discovered}")
    check({"tools", "resources", "prompts"} <= discovered["capabilities"].keys(), "the server's capabilities")
    check(discovered["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "the server names itself")
    session.close()


@case("messages")
def ids_are_echoed(world, era):
    session = world.lines(era, world.authority().url)
    for id in [0, -1, 7, 2**31, 2**53 - 1, -(2**53) + 1, 2**63 - 1, "", "7", "a b", "\u00e9\U0001f600\n\"\\", "x" * 2_000]:
        answer = session.finish(session.start("tools/list", id=id))
        check(type(answer["id"]) is type(id) and answer["id"] == id, f"the id {id!r} is echoed: {answer['id']!r}")
    session.close()


@case("messages")
def an_id_in_use_is_refused(world, era):
    gate = world.gate(world.authority())
    session = world.lines(era, gate.url)
    gate.hold(gate.answers)
    call = {"name": "cycles_check_balance", "arguments": {"tenant": "acme"}}
    session.start("tools/call", call, id="twice")
    gate.wait_for_held()
    session.refused("tools/call", INVALID_REQUEST, call, id="twice")
    gate.answers.set()
    check("result" in session.finish("twice"), "the first request is answered")
    check("result" in session.finish(session.start("tools/call", call, id="twice")), "the id can be used again")
    session.close()


@case("messages")
def ping_is_of_the_older_versions(world, era):
    session = world.lines(era, world.authority().url)
    if era.is_legacy:
        check(session.request("ping") == {}, "ping")
    else:
        session.refused("ping", NO_METHOD)
    session.close()


@case("messages")
def unknown_methods_are_refused(world, era):
    session = world.lines(era, world.authority().url)
    for method in [
        "no/such/method", "", "tools", "tools/call/", "TOOLS/LIST", "logging/setLevel", "resources/subscribe",
        "notifications/initialized", "rpc.discover", "completion/complete", "sampling/createMessage",
    ]:
        session.refused(method, NO_METHOD)
    if era.is_legacy:
        session.refused("server/discover", NO_METHOD)
    check(len(session.request("tools/list")["tools"]) == 9, "the session goes on")
    session.close()


@case("messages")
def malformed_lines_are_refused(world, era):
    """Each line that is no request is answered once, and the session goes on."""
    authority = world.authority()
    session = world.lines(era, authority.url)
    call = json.dumps({"id": 1, "method": "tools/call"} | era.params({"name": "cycles_reserve", "arguments": reserve(1)}))
    for line in [
        b"{", b"no json", b"}", b'{"jsonrpc":"2.0","id":1,"method":"ping"', b"\xff\xfe{}", b'"\xc3("', b"nul",
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}}', b"{'jsonrpc':'2.0'}", b"\x00", b"[" * 100_000, b'{"a":' * 100_000,
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list"} {"jsonrpc":"2.0","id":2,"method":"tools/list"}',
    ]:
        session.send_bytes(line + b"\n")
        answer = session.next()
        session.is_error(answer, (PARSE_ERROR, INVALID_REQUEST), repr(line[:60]))
        check(answer["id"] is None, f"{line[:60]}: no id can be known: {answer}")
    for message in [
        b"42", b"null", b'"ping"', b"true", b"{}", b'{"id":1}', b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"method":7}', b'{"jsonrpc":"2.0","id":1,"method":null}',
        b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}', b'{"id":1,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":null,"method":"tools/list"}', b'{"jsonrpc":"2.0","id":[],"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":true,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}', b'{"jsonrpc":"2.0","id":{},"method":"tools/list"}',
        b'{"jsonrpc":2.0,"id":1,"method":"tools/list"}', call.encode(),
    ]:
        session.send_bytes(message + b"\n")
        answer = session.next()
        session.is_error(answer, (INVALID_REQUEST, INVALID_PARAMS), repr(message[:60]))
        check(answer["id"] in (None, 1), f"{message[:60]}: the id is that of the request, or null: {answer}")
    for params in [[], [1], 7, "x", True]:
        session.send({"id": "p", "method": "tools/list", "params": params})
        session.is_error(session.finish("p"), (INVALID_REQUEST, INVALID_PARAMS), f"the parameters {params!r}")
    check(not authority.requests(), "nothing was asked of the authority")
    session.is_silent("a malformed line, twice")
    session.close()


@case("messages")
def lines_may_end_as_on_other_systems(world, era):
    """Blank lines are skipped, and a carriage return belongs to the end of the line."""
    session = world.lines(era, world.authority().url)
    request = json.dumps({"jsonrpc": "2.0", "id": "crlf", "method": "tools/list"} | era.params(None)).encode()
    session.send_bytes(b"\n\r\n" + request + b"\r\n\n")
    check("result" in session.finish("crlf"), "a line that ends in CR and LF")
    session.is_silent("a blank line")
    # The last line has no end.
    session.send_bytes(request.replace(b"crlf", b"last"))
    session.process.stdin.close()
    while (line := session.arrived.get(timeout=60)) is not None:
        check(json.loads(line)["id"] in ("last", None), f"at most an answer to the last line: {line}")
    check(session.process.wait(60) == 0, "a line without end, at the end of the input, is no failure")


@case("messages")
def batches_are_refused(world, era):
    authority = world.authority()
    session = world.lines(era, authority.url)
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"} | era.params(
        {"name": "cycles_reserve", "arguments": reserve(1)}
    )
    for batch in [[], [request], [request, request | {"id": 2}], [{"jsonrpc": "2.0", "method": "notifications/x"}], [1]]:
        session.send_bytes(json.dumps(batch).encode() + b"\n")
        answer = session.next()
        check(isinstance(answer, dict), f"one answer, which is no batch: {answer}")
        session.is_error(answer, INVALID_REQUEST, "a batch")
        check(answer["id"] is None, f"a batch has no id: {answer}")
    check(not authority.requests(), "nothing was asked of the authority")
    session.is_silent("a batch, twice")
    session.close()


@case("messages")
def notifications_and_answers_are_not_answered(world, era):
    authority = world.authority()
    session = world.lines(era, authority.url)
    for message in [
        {"method": "notifications/no-such"}, {"method": "notifications/cancelled"}, {"method": "tools/list"},
        {"method": "notifications/cancelled", "params": {"requestId": "never sent"}},
        {"method": "notifications/cancelled", "params": {"requestId": [1]}},
        {"method": "notifications/cancelled", "params": {"requestId": session.last_id, "reason": "too late"}},
        {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}},
        {"method": "notifications/roots/list_changed"}, {"method": "notifications/initialized"},
        {"method": "tools/call"} | era.params({"name": "cycles_reserve", "arguments": reserve(1)}),
        {"id": 99, "result": {}}, {"id": "x", "error": {"code": -1, "message": "no"}},
    ]:
        session.send(message)
        session.is_silent(json.dumps(message)[:80])
    check(not authority.requests(), "nothing was asked of the authority")
    session.close()


@case("messages")
def oversized_messages_are_refused(world, era):
    """A message that is too large is refused without being kept in memory, and the session goes on."""
    authority = world.authority()
    session = world.lines(era, authority.url)
    session.request("tools/list")
    before = session.memory()
    head = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"'
    for _ in range(2):
        session.send_bytes(head)
        for _ in range(24):
            session.send_bytes(b"x" * 1_048_576)
        session.send_bytes(b'"}}\n')
        answer = session.next()
        session.is_error(answer, (PARSE_ERROR, INVALID_REQUEST), "a message of 24 MiB")
        check(answer["id"] is None, f"an oversized message has no id: {answer}")
    check(len(session.request("tools/list")["tools"]) == 9, "the session goes on")
    grown = (session.memory() or 0) - (before or 0)
    check(grown < 12 * 1_048_576, f"messages of 24 MiB take no {grown} bytes of memory")
    metadata = reserve(1, metadata={"note": "n" * 100_000})
    call = session.finish(session.start("tools/call", {"name": "cycles_decide", "arguments": metadata}))
    check("result" in call, f"a message of 100 kB is served: {json.dumps(call)[:300]}")
    session.close()


@case("messages")
def unknown_tools_are_errors_of_the_protocol(world, era):
    authority = world.authority()
    session = world.lines(era, authority.url)
    for params in [
        {"name": "no_such_tool", "arguments": {}}, {"name": ""}, {"name": "CYCLES_RESERVE"}, {"name": 7}, {},
        {"arguments": {}},
    ]:
        session.refused("tools/call", INVALID_PARAMS, params)
    for arguments in [[], "x", 7, True]:
        params = {"name": "cycles_reserve", "arguments": arguments}
        answer = session.finish(session.start("tools/call", params))
        refused = answer.get("error", {}).get("code") == INVALID_PARAMS or answer.get("result", {}).get("isError") is True
        check(refused, f"the arguments {arguments!r} are refused: {answer}")
    for method, params in [
        ("prompts/get", {"name": "no_such_prompt"}), ("prompts/get", {}), ("prompts/get", {"name": 7}),
        ("resources/read", {}), ("resources/read", {"uri": 7}),
    ]:
        session.refused(method, INVALID_PARAMS, params)
    for uri in ["cycles://no-such", "file:///etc/passwd", "", "cycles://balances/", "cycles://reservations/a/b"]:
        error = session.finish(session.start("resources/read", {"uri": uri}))
        session.is_error(error, (INVALID_PARAMS, -32002) if era.is_legacy else INVALID_PARAMS, f"the resource {uri!r}")
    check(not authority.requests(), "nothing was asked of the authority")
    session.close()


def spoiled(schema, arguments_of_tool):
    """The arguments of a tool, spoiled in each way that its schema forbids at the first two levels."""
    yield {}, "no arguments"
    if schema.get("additionalProperties") is False:
        yield arguments_of_tool | {"noSuch": 1}, "an argument that does not exist"
    for name in schema.get("required", []):
        yield {n: v for n, v in arguments_of_tool.items() if n != name}, f"no {name}"
    for name, property in schema["properties"].items():
        kinds = property.get("type", "object")
        for wrong in [[], 1.5, True, {"no": {}}, "no", -1]:
            if not fits(wrong, kinds):
                yield arguments_of_tool | {name: wrong}, f"{name} = {wrong!r}"
        for bound, value in [("maximum", 1), ("minimum", -1)]:
            if bound in property:
                yield arguments_of_tool | {name: property[bound] + value}, f"{name} beyond its {bound}"
        if "maxLength" in property:
            yield arguments_of_tool | {name: "x" * (property["maxLength"] + 1)}, f"{name} is too long"
        if property.get("minLength"):
            yield arguments_of_tool | {name: ""}, f"{name} is empty"
        if "enum" in property:
            yield arguments_of_tool | {name: "NO_SUCH"}, f"{name} is none of its values"


def fits(value, kinds):
    kinds = kinds if isinstance(kinds, list) else [kinds]
    kind = {list: "array", float: "number", bool: "boolean", dict: "object", str: "string", int: "integer"}[type(value)]
    return kind in kinds or kind == "integer" and "number" in kinds


@case("arguments")
def invalid_arguments_are_results(world, era):
    """Arguments that a tool's schema forbids are told to the model, and nothing is sent."""
    authority = world.authority()
    session = world.lines(era, authority.url)
    for tool in session.request("tools/list")["tools"]:
        name, schema = tool["name"], tool["inputSchema"]
        for bad, what in spoiled(schema, GOOD[name]):
            if not schema.get("required") and not bad:
                continue
            result = session.call(name, bad)
            check(result.get("isError") is True, f"{name}: {what} is an error: {json.dumps(result)[:300]}")
            check(result["content"][0]["text"], f"{name}: {what} is explained")
            sent = authority.requests()
            check(not sent, f"{name}: {what}: nothing is sent: {sent}")
    for name, bad in [
        ("cycles_reserve", reserve(-1)), ("cycles_reserve", reserve(1, estimate={"unit": "NO_UNIT", "amount": 1})),
        ("cycles_reserve", reserve(1, estimate={"amount": 1})), ("cycles_reserve", reserve(1, estimate={"unit": "TOKENS"})),
        ("cycles_reserve", reserve(2**63)), ("cycles_reserve", reserve(1.5)), ("cycles_reserve", reserve("1")),
        ("cycles_reserve", reserve(1, subject={"tenant": "x" * 129})), ("cycles_reserve", reserve(1, action={"kind": "k"})),
        ("cycles_reserve", reserve(1, action={"kind": "k", "name": "n", "tags": ["t"] * 11})),
        ("cycles_reserve", reserve(1, subject={"tenant": 1})), ("cycles_create_event", event(-1)),
        ("cycles_commit", commit("r", -1)), ("cycles_commit", commit("..", 1)),
    ]:
        result = session.call(name, bad)
        check(result.get("isError") is True, f"{name} {json.dumps(bad)[:200]} is an error: {json.dumps(result)[:300]}")
        check(not authority.requests(), f"{name} {json.dumps(bad)[:200]}: nothing is sent: {authority.requests()}")
    session.close()
