"""Each tool, driven by the SDK's client: allowed, allowed with caps, denied, and refused."""

import re

import anyio
import jsonschema
from mcp import MCPError

from arguments import GOOD, READING, TOOLS, commit, event, extend, release, reserve, tokens
from programs import wait_until
from reporting import case, check
from world import LEGACY

AGENT = {"tenant": "acme", "agent": "capped"}
BUDGETS = ["tenant:acme=1000:TOKENS", "tenant:acme/agent:capped=500:TOKENS,max-tokens=64"]


@case("handshake")
async def the_client_opens_a_session(world, era):
    url = world.authority().url
    async with world.session(era, url) as session:
        check(session.client.protocol_version == era.version, f"the version: {session.client.protocol_version}")
        if era.is_legacy:
            check(session.client.server_info.name, "the server names itself")
            capabilities = session.client.server_capabilities
            check(capabilities.tools and capabilities.resources and capabilities.prompts, "capabilities")
        else:
            discovered = await session.client.session.send_discover(era.version)
            check(era.version in discovered["supportedVersions"], f"discovery: {discovered}")
    async with world.session(era, url, mode="auto") as session:
        check(session.client.protocol_version == "2026-07-28", "a client of both eras takes the later one")


@case("lists")
async def tools_are_listed(world, era):
    async with world.session(era, world.authority().url) as session:
        check(session.tools.keys() == TOOLS, f"the tools: {sorted(session.tools)}")
        for name, tool in session.tools.items():
            check(tool["description"], f"{name} has a description")
            for form in ("inputSchema", "outputSchema"):
                check(tool[form]["type"] == "object", f"{name}: the {form} describes an object")
                jsonschema.Draft202012Validator.check_schema(tool[form])
            jsonschema.Draft202012Validator(tool["inputSchema"]).validate(GOOD[name])
            annotations = tool["annotations"]
            hints = {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
            check(hints <= annotations.keys(), f"{name} has all annotations: {annotations}")
            check(annotations["openWorldHint"] is False, f"{name} acts on the authority only")
            check(annotations["readOnlyHint"] is (name in READING), f"{name}: readOnlyHint")
        before = await session.client.list_tools()
        answer, _ = await session.call("cycles_reserve", **reserve(10))
        await session.call("cycles_commit", **commit(answer["reservationId"], 1))
        check(await session.client.list_tools() == before, "the list does not depend on earlier calls")


@case("lists")
async def resources_are_listed_and_read(world, era):
    authority = world.authority(*BUDGETS)
    async with world.session(era, authority.url) as session:
        client = session.client
        resources = [str(resource.uri) for resource in (await client.list_resources()).resources]
        templates = {template.uri_template for template in (await client.list_resource_templates()).resource_templates}
        check(any("quickstart" in uri for uri in resources), f"there is a quick start: {resources}")
        check(
            {"cycles://balances/{tenant}"} <= templates and any(t.startswith("cycles://reservations/{") for t in templates),
            f"the templates: {templates}",
        )
        answer, _ = await session.call("cycles_reserve", **reserve(30))
        for uri, expected in [
            *((uri, "cycles_reserve") for uri in resources), ("cycles://balances/acme", '"tenant:acme"'),
            (f"cycles://reservations/{answer['reservationId']}", answer["reservationId"]),
        ]:
            contents = (await client.read_resource(uri)).contents
            check(len(contents) >= 1 and all(str(each.uri) == uri for each in contents), f"the contents of {uri}")
            check(expected in "".join(each.text for each in contents), f"{uri} contains {expected}: {contents}")
        for uri in ["cycles://reservations/no-such", "cycles://no-such/thing"]:
            await is_refused(client.read_resource(uri), uri)


async def is_refused(call, what):
    try:
        await call
    except MCPError:
        return
    check(False, f"{what} is refused")


@case("lists")
async def prompts_are_listed_and_filled_in(world, era):
    async with world.session(era, world.authority().url) as session:
        prompts = {prompt.name: prompt for prompt in (await session.client.list_prompts()).prompts}
        check(prompts.keys() == {"integrate_cycles", "diagnose_overrun", "design_budget_strategy"}, f"{prompts.keys()}")
        for name, prompt in prompts.items():
            check(prompt.description, f"{name} has a description")
            given = {argument.name: f"value-of-{argument.name}" for argument in prompt.arguments or []}
            filled = await session.client.get_prompt(name, given)
            text = "\n".join(message.content.text for message in filled.messages)
            check(text, f"{name} has a text")
            for value in given.values():
                check(value in text, f"{name} contains {value}")
            required = [argument.name for argument in prompt.arguments or [] if argument.required]
            if required:
                await is_refused(session.client.get_prompt(name, {}), f"{name} without {required}")
            else:
                check((await session.client.get_prompt(name)).messages, f"{name} without arguments")


@case("tools")
async def a_reservation_is_committed_once(world, era):
    authority = world.authority(*BUDGETS)
    async with world.session(era, authority.url) as session:
        asked = reserve(100, metadata={"run": 7}, ttlMs=30_000)
        answer, _ = await session.call("cycles_reserve", **asked)
        check(answer["decision"] == "ALLOW", f"allowed: {answer}")
        again, _ = await session.call("cycles_reserve", **asked)
        check(again["reservationId"] == answer["reservationId"], "the same key reserves once")
        check(authority.balance() == (0, 100), "the ledger holds the estimate")
        settled = commit(answer["reservationId"], 42, metrics={"tokensInput": 40, "tokensOutput": 2, "modelVersion": "m"})
        for _ in range(2):
            committed, _ = await session.call("cycles_commit", **settled)
            check(committed["status"] == "COMMITTED" and committed["charged"] == tokens(42), f"committed: {committed}")
        authority.settles_at(42, "a commit")
        text = await session.fails("cycles_release", **release(answer["reservationId"]))
        check("RESERVATION_FINALIZED" in text, f"a settled reservation is not released: {text}")


@case("tools")
async def a_reservation_is_released(world, era):
    authority = world.authority(*BUDGETS)
    async with world.session(era, authority.url) as session:
        answer, _ = await session.call("cycles_reserve", **reserve(100))
        released, _ = await session.call("cycles_release", **release(answer["reservationId"], reason="not needed"))
        check(released["status"] == "RELEASED", f"released: {released}")
        authority.settles_at(0, "a release")
        text = await session.fails("cycles_commit", **commit(answer["reservationId"], 1))
        check("RESERVATION_FINALIZED" in text, f"a released reservation is not committed: {text}")
    check(authority.balance() == (0, 0), "the ledger is as before")


@case("tools")
async def a_dry_run_holds_nothing(world, era):
    authority = world.authority(*BUDGETS)
    async with world.session(era, authority.url) as session:
        answer, _ = await session.call("cycles_reserve", **reserve(100, dryRun=True))
        check(answer["decision"] == "ALLOW" and not answer.get("reservationId"), f"a dry run: {answer}")
        denied, text = await session.call("cycles_reserve", **reserve(2_000, dryRun=True))
        check(denied["decision"] == "DENY" and text, f"a dry run that is denied: {denied}")
    check(authority.balance() == (0, 0), "a dry run holds nothing")


@case("tools")
async def a_lease_is_extended(world, era):
    authority = world.authority(*BUDGETS)
    async with world.session(era, authority.url) as session:
        answer, _ = await session.call("cycles_reserve", **reserve(10, ttlMs=60_000))
        before = authority.lease_end(answer["reservationId"])
        extended, _ = await session.call("cycles_extend", **extend(answer["reservationId"], 120_000))
        after = authority.lease_end(answer["reservationId"])
        check(after - before == 120_000, f"the lease is longer: {before}, {after}")
        check(extended["expiresAtMs"] == after, f"the answer tells the end: {extended}")
        text = await session.fails("cycles_extend", **extend("no-such", 1_000))
        check("NOT_FOUND" in text, f"a reservation that does not exist is not extended: {text}")


@case("tools")
async def the_server_extends_leases_itself(world, era):
    authority = world.authority(*BUDGETS)
    async with world.session(era, authority.url) as session:
        answer, _ = await session.call("cycles_reserve", **reserve(10, ttlMs=4_000))
        first = authority.lease_end(answer["reservationId"])
        await anyio.to_thread.run_sync(
            wait_until, lambda: authority.lease_end(answer["reservationId"]) > first, "the lease is extended unasked"
        )
        await session.call("cycles_commit", **commit(answer["reservationId"], 3))
        authority.settles_at(3, "a commit after the first lease")


@case("tools")
async def a_decision_holds_nothing(world, era):
    authority = world.authority(*BUDGETS)
    async with world.session(era, authority.url) as session:
        answer, _ = await session.call("cycles_decide", **reserve(100))
        check(answer["decision"] == "ALLOW", f"allowed: {answer}")
        answer, text = await session.call("cycles_decide", **reserve(2_000))
        check(answer["decision"] == "DENY" and text, f"denied: {answer}")
        answer, text = await session.call("cycles_decide", **reserve(10, subject=AGENT))
        check(answer["decision"] == "ALLOW_WITH_CAPS" and answer["caps"]["maxTokens"] == 64, f"capped: {answer}")
        check("64" in text, f"the text tells the caps: {text}")
    check(authority.balance() == (0, 0), "a decision holds nothing")


@case("tools")
async def denials_are_results_with_hints(world, era):
    """Servers deny with a decision or with an error. A model sees the same."""
    for behavior in ("deployed", "specification"):
        authority = world.authority(*BUDGETS, options=["--behavior", behavior])
        async with world.session(era, authority.url) as session:
            await session.call("cycles_create_event", **event(700))
            for tool in ("cycles_reserve", "cycles_decide"):
                answer, text = await session.call(tool, **reserve(400))
                check(answer["decision"] == "DENY" and not answer.get("reservationId"), f"{tool} is denied: {answer}")
                check(re.search(r"\b300\b", text), f"{tool}: the hint tells what remains: {text}")
            answer, text = await session.call("cycles_reserve", **reserve(100, subject=AGENT))
            check(answer["decision"] == "ALLOW_WITH_CAPS" and answer["caps"]["maxTokens"] == 64, f"capped: {answer}")
            check(re.search(r"\b64\b", text), f"the hint tells the caps: {text}")
            await session.call("cycles_release", **release(answer["reservationId"]))
            answer, text = await session.call("cycles_reserve", **reserve(200))
            check("%" in text, f"below 15 % of the allocation a hint says so: {text}")
            await session.call("cycles_commit", **commit(answer["reservationId"], 200))
            balances, text = await session.call("cycles_check_balance", tenant="acme")
            check("%" in text, f"so does a look at the balance: {balances}")
            answer, text = await session.call("cycles_create_event", **event(200, overagePolicy="REJECT"))
            check(answer["status"] == "DENIED" and text, f"an event that is denied: {answer}")
        authority.settles_at(900, "an event and a commit")


@case("tools")
async def balances_and_reservations_are_found(world, era):
    authority = world.authority(*BUDGETS)
    async with world.session(era, authority.url) as session:
        kept = [(await session.call("cycles_reserve", **reserve(n)))[0]["reservationId"] for n in (1, 2, 3)]
        answer, _ = await session.call("cycles_check_balance", tenant="acme")
        balance = next(each for each in answer["balances"] if each["scopePath"] == "tenant:acme")
        check((balance["reserved"], balance["remaining"]) == (tokens(6), tokens(994)), f"the balance: {balance}")
        found, cursor = [], {}
        while True:
            answer, _ = await session.call("cycles_list_reservations", tenant="acme", status="ACTIVE", limit=2, **cursor)
            found += [each["reservationId"] for each in answer["reservations"]]
            if not answer.get("nextCursor"):
                break
            cursor = {"cursor": answer["nextCursor"]}
        check(sorted(found) == sorted(kept), f"all pages: {found}")
        answer, _ = await session.call("cycles_list_reservations", tenant="acme", status="COMMITTED")
        check(answer["reservations"] == [], f"none is committed: {answer}")
        answer, _ = await session.call("cycles_get_reservation", reservationId=kept[1])
        check(answer["status"] == "ACTIVE" and answer["reserved"] == tokens(2), f"one reservation: {answer}")
        text = await session.fails("cycles_get_reservation", reservationId="rsv_no_such")
        check("NOT_FOUND" in text and "req_" in text, f"the error names its code and request: {text}")


@case("tools")
async def an_event_is_charged_once(world, era):
    authority = world.authority(*BUDGETS)
    async with world.session(era, authority.url) as session:
        asked = event(30, metrics={"latencyMs": 5}, clientTimeMs=1)
        for _ in range(2):
            answer, _ = await session.call("cycles_create_event", **asked)
            check(answer["status"] == "APPLIED" and answer["eventId"], f"applied: {answer}")
        text = await session.fails("cycles_create_event", **asked | {"actual": tokens(31)})
        check("IDEMPOTENCY_MISMATCH" in text, f"another amount with the same key: {text}")
    authority.settles_at(30, "an event")


@case("errors")
async def failures_of_the_authority_are_told(world, era):
    authority = world.authority(*BUDGETS, options=["--fail", "FORBIDDEN", "--fail", "LIMIT_EXCEEDED:2s"])
    async with world.session(era, authority.url) as session:
        text = await session.fails("cycles_check_balance", tenant="acme")
        check("FORBIDDEN" in text and "req_" in text, f"the error names its code and request: {text}")
        text = await session.fails("cycles_check_balance", tenant="acme")
        check("LIMIT_EXCEEDED" in text and re.search(r"\b2\b|2000", text), f"the error tells when to ask again: {text}")
        answer, _ = await session.call("cycles_check_balance", tenant="acme")
        check(answer["balances"], "the next call is answered")
        text = await session.fails("cycles_reserve", **reserve(1, subject={"tenant": "other"}))
        check(re.search("FORBIDDEN|NOT_FOUND", text), f"a tenant of another key: {text}")
        authority.stop()
        text = await session.fails("cycles_check_balance", tenant="acme")
        check("127.0.0.1" in text or "connect" in text.lower(), f"the error says that the server is not reached: {text}")


@case("errors", eras=False)
def a_wrong_key_is_not_shown(world):
    wrong = "cyc_wrong_55aa77bb99"
    session = world.lines(LEGACY, world.authority().url, CYCLES_API_KEY=wrong)
    result = session.call("cycles_check_balance", {"tenant": "acme"})
    check(result["isError"] is True and "UNAUTHORIZED" in result["content"][0]["text"], f"refused: {result}")
    session.close()
    check(wrong.encode() not in bytes(session.output) + session.errors.read_bytes(), "the key is not shown")
