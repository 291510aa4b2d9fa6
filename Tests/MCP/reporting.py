"""Checks, the cases that make them, and the table of results."""

import inspect
import sys
import threading
import time
import traceback

import anyio

# A case that takes longer hangs. Its programs are ended, so that it fails.
CASE_LIMIT = 300
cases = []
checks = 0


class Failed(Exception):
    """A check that does not hold."""


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        raise Failed(what)


def case(area, *, eras=True):
    """Declares a test: a function of a world and an era, or of a world alone."""
    def declare(function):
        cases.append((area, function, eras))
        return function
    return declare


def said(error):
    """The text of a failure. A group of tasks wraps the failures of its tasks."""
    inner = getattr(error, "exceptions", None)
    if inner:
        return "; ".join(dict.fromkeys(said(each) for each in inner))
    return str(error) if isinstance(error, Failed) else "".join(traceback.format_exception(error))


def run(make_world, eras, pattern):
    """Runs the cases, and prints a line for each area. Returns whether all checks hold."""
    table, failures = {}, []
    for area, function, by_era in cases:
        if pattern not in function.__name__ and pattern not in area:
            continue
        for era in eras if by_era else [None]:
            before, began = checks, time.monotonic()
            world = make_world()
            arguments = (world, era) if by_era else (world,)
            watchdog = threading.Timer(CASE_LIMIT, world.close)
            watchdog.start()
            try:
                if inspect.iscoroutinefunction(function):
                    anyio.run(function, *arguments)
                else:
                    function(*arguments)
                world.check_secrets()
            except Exception as error:
                where = f"{function.__name__}{f' ({era.name})' if era else ''}"
                failures.append(where)
                print(f"FAILED: {where}: {said(error)}", file=sys.stderr, flush=True)
            finally:
                watchdog.cancel()
                world.close()
            row = table.setdefault(area, {"checks": 0, "seconds": 0.0})
            row["checks"] += checks - before
            row["seconds"] += time.monotonic() - began
    width = max(map(len, table), default=0)
    for area, row in table.items():
        print(f"{area:{width}}  {row['checks']:6} checks  {row['seconds']:6.1f} s")
    print(f"{'all':{width}}  {checks:6} checks  {sum(row['seconds'] for row in table.values()):6.1f} s")
    return not failures
