"""Many calls at once, in one session and in two."""

import json

import anyio

from arguments import commit, release, reserve
from reporting import case, check


@case("1 000 at once")
async def a_thousand_lifecycles_at_once(world, era):
    """Each lifecycle reserves 10, and commits 0 to 9 or releases. The ledger has the sum."""
    authority = world.authority("tenant:acme=1000000:TOKENS")
    async with world.session(era, authority.url) as session:
        async def lifecycle(n):
            answer, _ = await session.call("cycles_reserve", **reserve(10))
            check(answer["decision"] == "ALLOW", f"allowed: {answer}")
            if n % 5 == 4:
                await session.call("cycles_release", **release(answer["reservationId"]))
            else:
                await session.call("cycles_commit", **commit(answer["reservationId"], n % 10))

        async with anyio.create_task_group() as group:
            for n in range(1_000):
                group.start_soon(lifecycle, n)
        authority.settles_at(sum(n % 10 for n in range(1_000) if n % 5 != 4), "1 000 lifecycles")
    statuses = list(authority.reservations().values())
    check((statuses.count("COMMITTED"), statuses.count("RELEASED")) == (800, 200), "each reservation is settled once")


@case("1 000 at once")
def a_thousand_requests_in_one_write(world, era):
    """Requests that arrive together are each answered once, by their ids."""
    authority = world.authority("tenant:acme=1000000:TOKENS")
    session = world.lines(era, authority.url)
    kinds = [
        ("tools/list", None), ("tools/call", "cycles_reserve"), ("prompts/list", None), ("tools/call", "cycles_decide"),
        ("resources/list", None),
    ]
    lines, expected = [], {}
    for n in range(1_000):
        method, tool = kinds[n % len(kinds)]
        id = n + 1_000_000 if n % 2 else f"request {n}"
        params = {"name": tool, "arguments": reserve(1)} if tool else None
        lines.append(json.dumps({"jsonrpc": "2.0", "id": id, "method": method} | era.params(params)))
        expected[id] = method
    session.send_bytes("\n".join(lines).encode() + b"\n")
    for _ in range(1_000):
        answer = session.next()
        method = expected.pop(answer.get("id"), None)
        check(method is not None, f"one answer to each request: {answer}")
        check("result" in answer, f"{method} has a result: {answer}")
        era.validate(method, answer["result"])
    session.is_silent("a request, twice")
    check(authority.balance() == (0, 200), f"the ledger holds 200 estimates: {authority.balance()}")
    session.close()
    authority.settles_at(0, "the end of a session with 200 reservations")


@case("two sessions")
async def two_sessions_share_a_ledger(world, era):
    """Two sessions with one journal ask for twice the budget. The ledger grants it once."""
    authority = world.authority("tenant:acme=1000:TOKENS")
    home = world.home()
    committed = []
    async with world.session(era, authority.url, home=home) as one, world.session(era, authority.url, home=home) as two:
        denied = []

        async def lifecycle(session, n):
            answer, _ = await session.call("cycles_reserve", **reserve(10))
            if answer["decision"] == "DENY":
                denied.append(n)
                return
            await all_asked(n)
            await session.call("cycles_commit", **commit(answer["reservationId"], n % 11))
            committed.append(n % 11)

        asked, waiting = anyio.Event(), set()

        async def all_asked(n):
            # Nothing is committed before all have asked, so that what is left over is granted to none.
            waiting.add(n)
            if len(waiting) == 100:
                asked.set()
            await asked.wait()

        async with anyio.create_task_group() as group:
            for n in range(200):
                group.start_soon(lifecycle, (one, two)[n % 2], n)
        check((len(committed), len(denied)) == (100, 100), f"the budget is granted once: {len(committed)} times")
        authority.settles_at(sum(committed), "two sessions")
