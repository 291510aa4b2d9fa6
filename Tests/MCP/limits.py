"""Options for agents that are not trusted with everything, and the entries for programs that start the server."""

import json
import subprocess

from mcp import StdioServerParameters

import programs
from arguments import GOOD, READING, TOOLS, commit, event, reserve
from reporting import case, check
from world import LEGACY, MODERN

INVALID_PARAMS = -32602


def only(session, allowed, authority):
    """Checks that a session has these tools only, and that calls of others send nothing."""
    listed = {tool["name"] for tool in session.request("tools/list")["tools"]}
    check(listed == allowed, f"the tools: {sorted(listed)}")
    for tool in TOOLS - allowed:
        answer = session.finish(session.start("tools/call", {"name": tool, "arguments": GOOD[tool]}))
        refused = answer.get("error", {}).get("code") == INVALID_PARAMS or answer.get("result", {}).get("isError") is True
        check(refused, f"{tool} is refused: {answer}")
        check(not authority.requests(), f"{tool}: nothing is sent: {authority.requests()}")


@case("limits")
def a_session_that_only_reads(world, era):
    authority = world.authority()
    session = world.lines(era, authority.url, "--read-only")
    only(session, READING, authority)
    check(session.call("cycles_check_balance", {"tenant": "acme"})["structuredContent"]["balances"], "it reads")
    session.close()
    check(authority.balance() == (0, 0), "the ledger is as before")


@case("limits")
def a_session_with_some_tools(world, era):
    authority = world.authority()
    session = world.lines(era, authority.url, "--allow", "cycles_reserve,cycles_commit")
    only(session, {"cycles_reserve", "cycles_commit"}, authority)
    answer = session.call("cycles_reserve", reserve(10))["structuredContent"]
    session.call("cycles_commit", commit(answer["reservationId"], 3))
    session.close()
    authority.settles_at(3, "a session with two tools")


@case("limits")
def estimates_have_a_limit(world, era):
    """An estimate beyond the limit is refused before anything is sent."""
    authority = world.authority("tenant:acme=1000:TOKENS", "tenant:acme=5USD")
    session = world.lines(era, authority.url, "--max-estimate", "100:TOKENS")
    for tool, asked in [
        ("cycles_reserve", reserve(101)), ("cycles_reserve", reserve(2**62)),
        ("cycles_reserve", reserve(1, estimate={"unit": "USD_MICROCENTS", "amount": 101})),
        ("cycles_reserve", reserve(101, dryRun=True)), ("cycles_decide", reserve(101)), ("cycles_create_event", event(101)),
    ]:
        result = session.call(tool, asked)
        check(result.get("isError") is True, f"{tool} {asked} is refused: {result}")
        told = result["content"][0]["text"]
        check("100" in told or "TOKENS only" in told, f"the limit is told: {told}")
        check(not authority.requests(), f"{tool}: nothing is sent: {authority.requests()}")
    answer = session.call("cycles_reserve", reserve(100))["structuredContent"]
    check(answer["decision"] == "ALLOW", f"an estimate within the limit: {answer}")
    session.call("cycles_commit", commit(answer["reservationId"], 40))
    session.close()
    authority.settles_at(40, "a session with a limit")


@case("options", eras=False)
def options_that_cannot_be_used(world):
    """Nothing is printed but an error, and the status is 2."""
    url = world.authority().url
    for arguments in [
        ["--allow", "no_such_tool"], ["--allow", ""], ["--max-estimate", "many"], ["--max-estimate", "-1:TOKENS"],
        ["--print-config", "emacs"], ["--no-such-option"], ["unexpected"],
    ]:
        told = run(world, *arguments, environment=programs.environment(world.home(), url))
        check((told.returncode, told.stdout) == (2, ""), f"{arguments}: status 2: {told}")
        check(told.stderr.strip(), f"{arguments}: an error")
    for missing in ("CYCLES_BASE_URL", "CYCLES_API_KEY"):
        environment = programs.environment(world.home(), url)
        del environment[missing]
        told = run(world, environment=environment)
        check((told.returncode, told.stdout) == (2, ""), f"without {missing}: status 2: {told}")
        check(missing in told.stderr, f"the error names {missing}: {told.stderr}")


def run(world, *arguments, environment):
    return subprocess.run(
        [world.tool, "mcp", *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=programs.PATIENCE,
    )


@case("options", eras=False)
async def entries_for_other_programs(world):
    """The printed entry is JSON in the form of the program, contains no key, and starts a server that works."""
    authority = world.authority()
    for program, outer in [("claude", "mcpServers"), ("cursor", "mcpServers"), ("vscode", "servers")]:
        home = world.home()
        told = run(world, "--print-config", program, environment=programs.environment(home, authority.url))
        check(told.returncode == 0, f"{program}: status 0: {told}")
        check(programs.KEY not in told.stdout + told.stderr, f"{program}: no key")
        entry = json.loads(told.stdout)[outer]["cycles"]
        check(entry["args"][0] == "mcp", f"{program}: {entry}")
        if program == "vscode":
            check(entry["type"] == "stdio", f"{program}: {entry}")
        # The person replaces the placeholder for the key, or the program asks for it.
        variables = entry.get("env", {}) | {"CYCLES_API_KEY": programs.KEY, "HOME": str(home)}
        variables = {"CYCLES_BASE_URL": authority.url} | variables
        command = StdioServerParameters(command=entry["command"], args=entry["args"], env=variables)
        async with world.session(MODERN, authority.url, home=home, command=command) as session:
            answer, _ = await session.call("cycles_check_balance", tenant="acme")
            check(answer["balances"], f"{program}: the server of the entry works")


@case("options", eras=False)
def a_demonstration_needs_nothing(world):
    """An authority of its own, without any configuration, which ends with the session."""
    for era in (LEGACY, MODERN):
        home = world.home()
        session = world.started([world.tool, "mcp", "--demo"], {"HOME": str(home)}, home, era).open()
        balances = session.call("cycles_check_balance", {"tenant": "acme"})
        check(not balances.get("isError") and balances["structuredContent"]["balances"], f"a budget: {balances}")
        answer = session.call("cycles_reserve", reserve(10))["structuredContent"]
        check(answer["decision"] == "ALLOW", f"allowed: {answer}")
        session.call("cycles_commit", commit(answer["reservationId"], 3))
        session.close()
