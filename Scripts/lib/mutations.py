"""Plants the faults of Tests/Mutations in a copy of the sources, and runs the simulated worlds that find them."""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time
import tomllib

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
TABLE = REPOSITORY / "Tests/Mutations"
WORLD = 250
# The worlds that are searched for a fault that the table's seed does not find.
WORLDS = 400
LIMIT = 600

SWITCH = """\
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The fault that is planted; nil for none.
private let planted = getenv("CYCLES_PLANTED").map { String(cString: $0) }

/// Whether a fault is planted.
@inline(never)
package func isPlanted(_ name: String) -> Bool { planted == name }
"""


class Unusable(Exception):
    """A simulation that ended without a verdict."""


def fail(message):
    sys.exit("mutations: " + message)


def read_table():
    """The mutations by name, and the changes, of all files of the table."""
    mutations, changes = {}, []
    for path in sorted(TABLE.glob("*.toml")):
        table = tomllib.loads(path.read_text())
        for mutation in table.get("mutation", []):
            if mutation["name"] in mutations:
                fail(f"{mutation['name']} is in the table twice")
            mutations[mutation["name"]] = mutation | {"path": path}
        changes += table.get("change", [])
    planted = set(re.findall(r'isPlanted\("([^"]*)"\)', "".join(change["new"] for change in changes)))
    if planted != set(mutations):
        fail(f"the changes and the mutations differ in {sorted(planted ^ set(mutations))}")
    return mutations, changes


def planted_sources(changes):
    """The contents of the changed files. Each old text has to occur once in the original file."""
    places = {}
    for change in changes:
        path = REPOSITORY / "Sources/Cycles" / change["file"]
        source = path.read_text()
        count = source.count(change["old"])
        if count != 1:
            fail(f"in {change['file']}, this text occurs {count} times instead of once:\n{change['old']}")
        start = source.index(change["old"])
        places.setdefault(path, []).append((start, start + len(change["old"]), change["new"]))
    contents = {REPOSITORY / "Sources/Cycles/Support/PlantedFault.swift": SWITCH}
    for path, replacements in places.items():
        source, end = path.read_text(), None
        for start, stop, new in sorted(replacements, reverse=True):
            if end is not None and stop > end:
                fail(f"two changes of {path.name} overlap")
            source, end = source[:start] + new + source[stop:], start
        contents[path] = source
    return contents


def plant(copy):
    """Makes the copy of the package. Files that are as they should be stay, for the next build to be short."""
    _, changes = read_table()
    contents = planted_sources(changes)
    built = ["Sources", "Tests/CyclesSimulation", "Tests/Simulate"]
    wanted = {REPOSITORY / "Package.swift": None}
    for folder in built:
        wanted |= {path: None for path in (REPOSITORY / folder).rglob("*") if path.is_file()}
    wanted |= contents
    kept = set()
    for path, text in wanted.items():
        target = copy / path.relative_to(REPOSITORY)
        data = path.read_bytes() if text is None else text.encode()
        kept.add(target)
        if not target.exists() or target.read_bytes() != data:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    for folder in built:
        for path in (copy / folder).rglob("*"):
            if path.is_file() and path not in kept:
                path.unlink()
    # The package has to have the folders of its other targets.
    for path in (REPOSITORY / "Tests").iterdir():
        target = copy / "Tests" / path.name
        if path.is_dir() and not target.exists():
            target.symlink_to(path)


def simulate(program, seed, lifecycles, fault=None):
    """Runs worlds. Returns the seed of the one that failed, and the rule that was violated; None if none failed."""
    environment = os.environ | {"SWIFT_DETERMINISTIC_HASHING": "1", "CYCLES_PLANTED": fault or ""}
    command = [program, str(seed), str(lifecycles), "1"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise Unusable(f"the simulation did not end within {LIMIT} seconds")
    if done.returncode == 0:
        return None
    failed = re.search(r"^The world has seed (\d+)", done.stdout, re.MULTILINE)
    if not failed:
        raise Unusable(f"the simulation ended with status {done.returncode}: {done.stderr[:400]}")
    rule = done.stdout[: failed.start()].rstrip().split("\n")[-1]
    return int(failed.group(1)), rule


def search(program, mutation, is_strict):
    """Finds a fault. Returns the seed, the rule that was violated, and the time; a seed of None if it is not found."""
    start = time.monotonic()
    try:
        found = simulate(program, mutation["seed"], WORLD, mutation["name"])
        if not found and not is_strict:
            found = simulate(program, 1, WORLD * WORLDS, mutation["name"])
    except Unusable as error:
        found = None, str(error)
    return *(found or (None, "no rule is violated")), time.monotonic() - start


def renew(mutation, seed):
    """Writes a seed to the table."""
    path = mutation["path"]
    pattern = rf'(name = "{mutation["name"]}"\n(?:(?!\[\[).*\n)*?seed = )\d+'
    path.write_text(re.sub(pattern, rf"\g<1>{seed}", path.read_text()))


def run(program, mode, names):
    mutations, _ = read_table()
    unknown = [name for name in names if name not in mutations]
    if unknown:
        fail(f"not in the table: {', '.join(unknown)}")
    chosen = [mutations[name] for name in names or mutations]
    start, missed, seeds = time.monotonic(), [], set()
    width = max(len(mutation["name"]) for mutation in chosen)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda mutation: search(program, mutation, mode is None), chosen)
        for mutation, (seed, rule, seconds) in zip(chosen, results):
            name = mutation["name"].ljust(width)
            if seed is None:
                missed.append(mutation["name"])
                print(f"{name}  NOT FOUND  {seconds:5.1f} s  {rule}: {mutation['fault']}", flush=True)
                continue
            seeds.add(seed)
            print(f"{name}  seed {seed:4}  {seconds:5.1f} s  {rule[:200]}", flush=True)
            if mode == "--renew" and seed != mutation["seed"]:
                renew(mutation, seed)
        for failure in pool.map(lambda seed: simulate(program, seed, WORLD), sorted(seeds)):
            if failure:
                fail(f"without a planted fault, the world with seed {failure[0]} fails too: {failure[1]}")
    print(f"{len(chosen) - len(missed)} of {len(chosen)} faults found, {time.monotonic() - start:.0f} s.")
    print(f"Without a fault, no rule is violated in these {len(seeds)} worlds.")
    if missed:
        hint = "" if mode else "; Scripts/mutations.sh --renew looks for other seeds"
        fail(f"not found: {', '.join(missed)}{hint}")


def main(arguments):
    match arguments:
        case ["plant", copy]:
            plant(pathlib.Path(copy))
        case ["run", program, ("--any-seed" | "--renew") as mode, *names]:
            run(program, mode, names)
        case ["run", program, *names]:
            run(program, None, names)
        case _:
            fail("usage: mutations.py plant FOLDER | run PROGRAM [--any-seed | --renew] [NAME...]")


try:
    main(sys.argv[1:])
except Unusable as error:
    fail(str(error))
