"""Start-up time, memory and size of the static program."""

import statistics
import time
from pathlib import Path

from arguments import GOOD, TOOLS, commit, reserve
from reporting import check
from world import ERAS

STARTS = 20
# A slow machine may take longer than the target, up to this limit, in seconds.
START_LIMIT = 0.500
MEMORY = 12_000_000


def measure(world):
    """Prints the figures of the program, and checks them."""
    authority = world.authority()
    for era in ERAS:
        times, memory = [], []
        for _ in range(STARTS):
            session = world.unopened(era, authority.url)
            method, params = ("initialize", era.handshake) if era.is_legacy else ("server/discover", None)
            session.request(method, params)
            times.append(time.perf_counter() - session.started)
            memory.append(session.memory())
            session.close()
        median = statistics.median(times)
        print(f"{era.name}: start to first answer {median * 1_000:.1f} ms (median of {STARTS}; target 50 ms)")
        check(median < START_LIMIT, f"{era.name}: the first answer comes within {START_LIMIT * 1_000:.0f} ms")
        session = world.lines(era, authority.url)
        for _ in range(3):
            answer = session.call("cycles_reserve", reserve(10))["structuredContent"]
            session.call("cycles_commit", commit(answer["reservationId"], 3))
            for tool in TOOLS:
                session.call(tool, GOOD[tool])
        after = session.memory()
        for id in [session.start("tools/call", {"name": "cycles_reserve", "arguments": reserve(1)}) for _ in range(1_000)]:
            session.finish(id)
        crowd = session.memory()
        session.close()
        if after is not None:
            print(
                f"{era.name}: resident {max(memory) / 1e6:.1f} MB at the first answer, {after / 1e6:.1f} MB after all "
                f"tools (target 12 MB), {crowd / 1e6:.1f} MB with 1 000 reservations"
            )
            check(after <= MEMORY, f"{era.name}: at most 12 MB are resident, not {after / 1e6:.1f}")
    size = Path(world.tool).stat().st_size
    print(f"size {size / 1e6:.2f} MB (target 13 MB)")
