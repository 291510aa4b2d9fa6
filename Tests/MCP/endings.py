"""Cancelled calls, sessions that end, and servers that are killed."""

import json
import signal
import subprocess
import time

import anyio

from arguments import commit, reserve
from programs import PATIENCE, environment, wait_until
from reporting import case, check


def start(session, tool, arguments, id):
    return session.start("tools/call", {"name": tool, "arguments": arguments}, id=id)


def cancel(session, id):
    session.send({"method": "notifications/cancelled", "params": {"requestId": id, "reason": "the user went away"}})


@case("cancellation")
def a_cancelled_reserve_holds_nothing(world, era):
    """The call is cancelled while its answer, or its request, is under way."""
    authority = world.authority()
    gate = world.gate(authority)
    session = world.lines(era, gate.url)
    released = 0
    for held in (gate.answers, gate.requests):
        for id in ("a call", 4_711):
            gate.hold(held)
            start(session, "cycles_reserve", reserve(100), id)
            gate.wait_for_held()
            if held is gate.answers:
                check(authority.balance() == (0, 100), "the ledger holds the estimate")
            cancel(session, id)
            session.is_silent("a cancelled call")
            held.set()
            released += 1
            wait_until(
                lambda: list(authority.reservations().values()) == ["RELEASED"] * released,
                "what a cancelled call has obtained is released",
            )
            session.is_silent("a cancelled call whose answer has arrived")
    session.close()
    authority.settles_at(0, "a session with cancelled calls")


@case("cancellation")
def a_cancelled_commit_is_charged(world, era):
    """Settlement does not obey cancellation: the work is done."""
    authority = world.authority()
    gate = world.gate(authority)
    session = world.lines(era, gate.url)
    spent = 0
    while spent < 10:
        spent += 1
        answer = session.call("cycles_reserve", reserve(100))["structuredContent"]
        gate.hold(gate.requests)
        start(session, "cycles_commit", commit(answer["reservationId"], 1), "commit")
        gate.wait_for_held(b"/commit ")
        # After a while the server answers that the commit is queued, which is too early here on a slow machine.
        is_early = not session.arrived.empty()
        cancel(session, "commit")
        if is_early:
            session.finish("commit")
        session.is_silent("a cancelled commit")
        gate.requests.set()
        authority.settles_at(spent, "a cancelled commit")
        session.is_silent("a cancelled commit that is charged")
        if not is_early:
            break
    session.close()
    check(authority.balance() == (spent, 0), "a commit is charged once")


@case("cancellation")
def a_late_cancellation_changes_nothing(world, era):
    authority = world.authority()
    session = world.lines(era, authority.url)
    id = start(session, "cycles_reserve", reserve(100), "reserve")
    answer = session.finish(id)["result"]["structuredContent"]
    cancel(session, id)
    session.is_silent("a cancellation after the answer")
    check(authority.balance() == (0, 100), "the reservation stays")
    session.call("cycles_commit", commit(answer["reservationId"], 7))
    authority.settles_at(7, "a commit after a late cancellation")
    session.close()


@case("cancellation")
async def a_client_cancels(world, era):
    """The SDK's client gives up a call and sends the notification itself."""
    authority = world.authority()
    gate = world.gate(authority)
    async with world.session(era, gate.url) as session:
        gate.hold(gate.answers)
        async with anyio.create_task_group() as group:
            group.start_soon(session.call_and_ignore, "cycles_reserve", reserve(100))
            await anyio.to_thread.run_sync(gate.wait_for_held)
            group.cancel_scope.cancel()
        check(authority.balance() == (0, 100), "the ledger holds the estimate")
        # The server handles messages in their order: it has seen the cancellation when it answers.
        await session.client.list_prompts()
        gate.answers.set()
        await anyio.to_thread.run_sync(authority.settles_at, 0, "a call that the client gave up")
        check((await session.call("cycles_decide", **reserve(1)))[0]["decision"] == "ALLOW", "the session goes on")


@case("end of a session")
async def the_end_of_a_session_releases(world, era):
    """The SDK's client closes standard input. The server has 2 s before the client ends it by force."""
    authority = world.authority()
    async with world.session(era, authority.url) as session:
        kept = [(await session.call("cycles_reserve", **reserve(100)))[0]["reservationId"] for _ in range(3)]
        await session.call("cycles_commit", **commit(kept[0], 42))
    check(authority.balance() == (42, 0), f"when the client is done, nothing is held: {authority.balance()}")
    check([authority.reservations()[id] for id in kept] == ["COMMITTED", "RELEASED", "RELEASED"], "each is settled")


@case("end of a session")
def calls_under_way_end_with_the_session(world, era):
    """Input ends while a commit and a reserve are under way: one is charged, the other holds nothing."""
    authority = world.authority()
    gate = world.gate(authority)
    session = world.lines(era, gate.url)
    answer = session.call("cycles_reserve", reserve(100))["structuredContent"]
    gate.hold(gate.requests)
    start(session, "cycles_commit", commit(answer["reservationId"], 42), "commit")
    start(session, "cycles_reserve", reserve(50), "reserve")
    gate.wait_for_held(b"/commit ")
    gate.wait_for_held(b"POST /v1/reservations ")
    session.process.stdin.close()
    gate.requests.set()
    check(session.process.wait(PATIENCE) == 0, "the server exits with status 0")
    authority.settles_at(42, "a session that ends in the middle")
    while (line := session.arrived.get(timeout=PATIENCE)) is not None:
        check(json.loads(line)["id"] in ("commit", "reserve"), f"only answers to requests: {line}")


@case("end of a session")
def a_session_ends_without_an_authority(world, era):
    """The authority is gone. The session ends, and the commit is charged once by the next session."""
    state = world.directory / "state.json"
    authority = world.authority(options=["--state", str(state)])
    home = world.home()
    session = world.lines(era, authority.url, home=home, CYCLES_CONNECT_TIMEOUT="500ms")
    answer = session.call("cycles_reserve", reserve(100))["structuredContent"]
    authority.stop()
    result = session.request("tools/call", {"name": "cycles_commit", "arguments": commit(answer["reservationId"], 42)})
    check(result["structuredContent"]["status"] == "QUEUED", f"a commit that is in the journal is no failure: {result}")
    began = time.monotonic()
    session.close()
    world.note("end of a session without an authority", f"{time.monotonic() - began:.1f} s")
    authority = world.authority(options=["--state", str(state)], port=authority.port)
    session = world.lines(era, authority.url, home=home)
    authority.settles_at(42, "a commit of an earlier session")
    session.close()
    check(authority.balance() == (42, 0), "a commit is charged once")


@case("end of a session")
def a_session_ends_beside_a_silent_authority(world, era):
    """The authority takes the commit and says nothing. The session ends, and the next one charges the commit once."""
    authority = world.authority()
    gate = world.gate(authority)
    home = world.home()
    session = world.lines(era, gate.url, home=home)
    answer = session.call("cycles_reserve", reserve(100, ttlMs=600_000))["structuredContent"]
    session.call("cycles_reserve", reserve(30, ttlMs=3_000, gracePeriodMs=0))
    gate.hold(gate.requests)
    start(session, "cycles_commit", commit(answer["reservationId"], 42), "commit")
    gate.wait_for_held(b"/commit ")
    began = time.monotonic()
    session.process.stdin.close()
    check(session.process.wait(PATIENCE) == 0, "the server exits with status 0")
    world.note("end of a session beside a silent authority", f"{time.monotonic() - began:.1f} s")
    gate.drop()
    session = world.lines(era, gate.url, home=home)
    authority.settles_at(42, "a commit of an earlier session")
    session.close()
    check(authority.balance() == (42, 0), "a commit is charged once")


@case("end of a session")
def a_session_ends_before_a_slow_disk(world, era):
    """Each write to the disk takes 0.5 s more, and the input ends before a commit is written. The commit is charged once all the same."""
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"]
    try:
        allowed = subprocess.run([*trace, "true"], capture_output=True).returncode == 0
    except OSError:
        allowed = False
    if not allowed:
        world.note("left out: a slow disk", "strace is missing or not permitted")
        return
    authority = world.authority()
    home = world.home()
    slow = [*trace, "-e", "inject=fsync,fdatasync:delay_enter=500000"]
    session = world.lines(era, authority.url, home=home, wrapper=slow)
    reservation = session.call("cycles_reserve", reserve(100))["structuredContent"]["reservationId"]
    result = session.request("tools/call", {"name": "cycles_commit", "arguments": commit(reservation, 42)})
    check(result.get("isError") is False, f"a commit that is written late is no failure: {result}")
    session.close()
    session = world.lines(era, authority.url, home=home)
    authority.settles_at(42, "a commit before a slow disk")
    session.close()
    check(authority.balance() == (42, 0), "a commit is charged once")


@case("end of a session")
def a_request_to_end_is_the_end_of_a_session(world, era):
    """SIGTERM ends a session as the end of its input does."""
    authority = world.authority()
    session = world.lines(era, authority.url)
    session.call("cycles_reserve", reserve(100))
    session.process.send_signal(signal.SIGTERM)
    status = session.process.wait(PATIENCE)
    check(status in (0, -signal.SIGTERM), f"SIGTERM ends the server: {status}")
    check(authority.balance() == (0, 0), "nothing is held")


@case("end of a session")
def a_client_that_reads_no_more(world, era):
    """The client closes its end of standard output before standard input."""
    authority = world.authority()
    home = world.home()
    server = subprocess.Popen(
        [world.tool, "mcp"], env=environment(home, authority.url), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, bufsize=0,
    )
    try:
        call = era.params({"name": "cycles_reserve", "arguments": reserve(100)})
        for message in [
            {"id": 1, "method": "initialize"} | {"params": era.handshake}, {"method": "notifications/initialized"},
        ] if era.is_legacy else []:
            server.stdin.write(json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n")
        server.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call"} | call).encode() + b"\n")
        wait_until(lambda: authority.balance() == (0, 100), "the ledger holds the estimate")
        server.stdout.close()
        try:
            for id in range(3, 9):
                request = {"jsonrpc": "2.0", "id": id, "method": "tools/list"} | era.params(None)
                server.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            pass
        server.stdin.close()
        server.wait(PATIENCE)
        authority.settles_at(0, "a session without a reader")
    finally:
        server.kill()
        server.wait()


@case("SIGKILL")
def work_that_was_done_is_charged_once(world, era):
    """The server is killed while a commit is under way. The next session charges it, and what was held runs out."""
    for lost in ("request", "answer"):
        authority = world.authority()
        gate = world.gate(authority)
        home = world.home()
        session = world.lines(era, gate.url, home=home)
        done = session.call("cycles_reserve", reserve(100, ttlMs=600_000))["structuredContent"]["reservationId"]
        kept = session.call("cycles_reserve", reserve(30, ttlMs=2_000, gracePeriodMs=0))["structuredContent"]
        held = gate.requests if lost == "request" else gate.answers
        gate.hold(held)
        start(session, "cycles_commit", commit(done, 42), "commit")
        if lost == "request":
            gate.wait_for_held(b"/commit ")
        else:
            wait_until(lambda: authority.balance()[0] == 42, "the commit is charged")
            gate.wait_for_held()
        session.kill()
        check(authority.balance()[0] == (0 if lost == "request" else 42), f"the {lost} is lost: {authority.balance()}")
        gate.drop()
        wait_until(lambda: authority.balance()[1] in (0, 100), "what was held runs out")
        after = world.lines(era, gate.url, home=home)
        authority.settles_at(42, f"a commit whose {lost} was lost")
        text = json.dumps(after.call("cycles_get_reservation", {"reservationId": kept["reservationId"]}))
        check("EXPIRED" in text, f"what was held has run out: {text}")
        after.close()
        check(authority.balance() == (42, 0), "a commit is charged once")
    # A commit that was answered is charged once too.
    authority = world.authority()
    home = world.home()
    session = world.lines(era, authority.url, home=home)
    done = session.call("cycles_reserve", reserve(100))["structuredContent"]["reservationId"]
    session.call("cycles_commit", commit(done, 42))
    session.kill()
    after = world.lines(era, authority.url, home=home)
    after.call("cycles_check_balance", {"tenant": "acme"})
    after.close()
    check(authority.balance() == (42, 0), "an answered commit is charged once")
