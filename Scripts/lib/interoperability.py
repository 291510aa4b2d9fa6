"""Tests `cycles serve` with the Python client `runcycles`: each operation, each error, and the shared journal.

Usage: interoperability.py TOOL
"""

import atexit
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import uuid

import runcycles
from runcycles import (
    Action, Amount, CommitOveragePolicy, CommitRequest, CyclesClient, CyclesConfig, CyclesMetrics, DecisionRequest,
    ErrorCode, EventCreateRequest, ReleaseRequest, ReservationCreateRequest, ReservationExtendRequest, Subject, Unit,
)

TOOL = sys.argv[1]
checks = 0


def check(holds, what):
    """Ends the program unless a condition holds."""
    global checks
    if not holds:
        sys.exit(f"FAILED: {what}")
    checks += 1


def key():
    return str(uuid.uuid4())


class Server:
    """`cycles serve` on a free port, or on a given one."""

    def __init__(self, *arguments, port="0"):
        self.process = subprocess.Popen(
            [TOOL, "serve", "--port", port, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        # Ends the server with this program in any case.
        atexit.register(self.process.kill)
        for line in self.process.stdout:
            found = re.match(r"Serving at (http://127\.0\.0\.1:(\d+))", line)
            if found:
                self.url, self.port = found.groups()
                return
        sys.exit(f"FAILED: the server did not start: {self.process.stderr.read()}")

    def stop(self):
        self.process.terminate()
        check(self.process.wait(10) == 0, "SIGTERM ends the server with status 0")


def config(server, tenant="acme", **options):
    options.setdefault("journal_enabled", False)
    return CyclesConfig(base_url=server.url, api_key=f"{tenant}-key", tenant=tenant, **options)


def tokens(amount):
    return Amount(unit=Unit.TOKENS, amount=amount)


def reservation(amount, **options):
    options.setdefault("subject", Subject(tenant="acme"))
    options.setdefault("idempotency_key", key())
    return ReservationCreateRequest(
        action=Action(kind="llm.completion", name="model", tags=["interop"]), estimate=amount, **options
    )


def reserve(client, amount, **options):
    answer = client.create_reservation(reservation(amount, **options))
    check(answer.is_success, f"reserve {amount}: {answer.status} {answer.error_message}")
    return answer.get_body_attribute("reservation_id")


def refused(answer, status, code):
    error = answer.get_body_attribute("error")
    check(
        answer.status == status and error == code.value and answer.request_id,
        f"{code} with {status}: got {answer.status} {answer.body}",
    )
    return code


def balance(client, scope="tenant:acme", unit="TOKENS", **filters):
    answer = client.get_balances(tenant="acme", **filters)
    check(answer.is_success, "balances")
    found = [b for b in answer.get_body_attribute("balances") if b["scope_path"] == scope and b["remaining"]["unit"] == unit]
    parsed = runcycles.Balance.model_validate(found[0])
    return parsed.spent.amount, parsed.reserved.amount, parsed.remaining.amount


BUDGETS = [
    "--budget", "tenant:acme=100000:TOKENS", "--budget", "tenant:acme/agent:capped=1000:TOKENS,max-tokens=64",
    "--budget", "tenant:acme/agent:frozen=1000:TOKENS,status=frozen",
    "--budget", "tenant:acme/agent:closed=1000:TOKENS,status=closed",
    "--budget", "tenant:acme/app:debtor=100:TOKENS,overdraft=50", "--budget", "tenant:acme/agent:tight=100:TOKENS,overdraft=50",
    "--budget", "tenant:gone=10:TOKENS", "--budget", "tenant:late=10:TOKENS",
    "--api-key", "acme=acme-key", "--api-key", "gone=gone-key", "--api-key", "late=late-key", "--close", "gone",
    "--suspend", "late", "--max-extensions", "2",
]


def operations(server):
    with CyclesClient(config(server)) as client:
        decided = client.decide(
            DecisionRequest(
                idempotency_key=key(), subject=Subject(tenant="acme", agent="capped"),
                action=Action(kind="llm.completion", name="model"), estimate=tokens(10),
            )
        )
        answer = runcycles.DecisionResponse.model_validate(decided.body)
        check(answer.decision == runcycles.Decision.ALLOW_WITH_CAPS and answer.caps.max_tokens == 64, "decide with caps")
        check(decided.request_id and decided.cycles_tenant == "acme" and decided.server_date_ms, "headers")

        dry = client.create_reservation(reservation(tokens(10), dry_run=True))
        check(dry.is_success and dry.get_body_attribute("reservation_id") is None, "a dry run holds nothing")

        request = reservation(tokens(1_000), ttl_ms=5_000, metadata={"run": 1})
        created = client.create_reservation(request)
        answer = runcycles.ReservationCreateResponse.model_validate(created.body)
        check(answer.reserved == tokens(1_000) and answer.remaining_ttl_ms > 0, "create")
        identifier = answer.reservation_id
        again = client.create_reservation(request)
        check(again.get_body_attribute("reservation_id") == identifier, "the same key reserves once")
        check(balance(client) == (0, 1_000, 99_000), "a reservation holds its amount")

        extended = client.extend_reservation(
            identifier, ReservationExtendRequest(idempotency_key=key(), extend_by_ms=60_000)
        )
        answer = runcycles.ReservationExtendResponse.model_validate(extended.body)
        check(answer.remaining_ttl_ms > 60_000, "extend")

        commit = CommitRequest(
            idempotency_key=key(), actual=tokens(420),
            metrics=CyclesMetrics(tokens_input=400, tokens_output=20, latency_ms=5, model_version="m-1"),
        )
        for _ in range(2):
            committed = client.commit_reservation(identifier, commit)
            answer = runcycles.CommitResponse.model_validate(committed.body)
            check(answer.charged == tokens(420) and answer.released == tokens(580), "commit, and once more")
        check(balance(client) == (420, 0, 99_580), "a commit is charged once")

        released = client.release_reservation(
            reserve(client, tokens(50)), ReleaseRequest(idempotency_key=key(), reason="not needed")
        )
        check(runcycles.ReleaseResponse.model_validate(released.body).released == tokens(50), "release")

        event = client.create_event(
            EventCreateRequest(
                idempotency_key=key(), subject=Subject(tenant="acme"), action=Action(kind="tool.search", name="web"),
                actual=tokens(7),
            )
        )
        check(event.status == 201 and runcycles.EventCreateResponse.model_validate(event.body).event_id, "event")
        check(balance(client) == (427, 0, 99_573), "an event is charged")

        detail = client.get_reservation(identifier)
        check(runcycles.ReservationDetail.model_validate(detail.body).status == "COMMITTED", "get")
        first = client.list_reservations(tenant="acme", limit="1")
        check(first.get_body_attribute("has_more") is True, "the first page")
        second = client.list_reservations(tenant="acme", limit="1", cursor=first.get_body_attribute("next_cursor"))
        # Checks the raw rows, since the client's model of a row lacks finalized_at_ms.
        pages = [page.get_body_attribute("reservations") for page in (first, second)]
        check(pages[0][0]["reservation_id"] != pages[1][0]["reservation_id"], "the second page")


def errors(server):
    seen = set()
    with CyclesClient(config(server)) as client:
        def act(subject=None, amount=None, **options):
            return client.create_reservation(
                reservation(amount or tokens(10), subject=Subject(tenant="acme", **(subject or {})), **options)
            )

        seen.add(refused(act(amount=tokens(10), ttl_ms=1), 400, ErrorCode.INVALID_REQUEST))
        seen.add(refused(act({"agent": "frozen"}), 409, ErrorCode.BUDGET_FROZEN))
        seen.add(refused(act({"agent": "closed"}), 409, ErrorCode.BUDGET_CLOSED))
        seen.add(refused(act(amount=tokens(10**12)), 409, ErrorCode.BUDGET_EXCEEDED))
        seen.add(refused(client.get_reservation("nobody"), 404, ErrorCode.NOT_FOUND))
        seen.add(
            refused(act(amount=Amount(unit=Unit.CREDITS, amount=1)), 400, ErrorCode.UNIT_MISMATCH)
        )

        shared = key()
        reserve(client, tokens(1), idempotency_key=shared)
        seen.add(refused(act(amount=tokens(2), idempotency_key=shared), 409, ErrorCode.IDEMPOTENCY_MISMATCH))

        identifier = reserve(client, tokens(10))
        client.release_reservation(identifier, ReleaseRequest(idempotency_key=key()))
        commit = CommitRequest(idempotency_key=key(), actual=tokens(1))
        seen.add(refused(client.commit_reservation(identifier, commit), 409, ErrorCode.RESERVATION_FINALIZED))

        identifier = reserve(client, tokens(10))
        for _ in range(2):
            extension = ReservationExtendRequest(idempotency_key=key(), extend_by_ms=1_000)
            check(client.extend_reservation(identifier, extension).is_success, "an extension")
        extension = ReservationExtendRequest(idempotency_key=key(), extend_by_ms=1_000)
        seen.add(refused(client.extend_reservation(identifier, extension), 409, ErrorCode.MAX_EXTENSIONS_EXCEEDED))

        identifier = reserve(client, tokens(10), ttl_ms=1_000, grace_period_ms=0)
        time.sleep(1.2)
        seen.add(refused(client.commit_reservation(identifier, commit), 410, ErrorCode.RESERVATION_EXPIRED))

        # First more than the budget and its overdraft limit together, then less.
        overdraft = CommitOveragePolicy.ALLOW_WITH_OVERDRAFT
        identifier = reserve(
            client, tokens(100), subject=Subject(tenant="acme", agent="tight"), overage_policy=overdraft
        )
        over = CommitRequest(idempotency_key=key(), actual=tokens(200))
        seen.add(refused(client.commit_reservation(identifier, over), 409, ErrorCode.OVERDRAFT_LIMIT_EXCEEDED))
        within = CommitRequest(idempotency_key=key(), actual=tokens(140))
        check(client.commit_reservation(identifier, within).is_success, "an overdraft within its limit")

        stranger = CyclesConfig(base_url=server.url, api_key="wrong", tenant="acme", journal_enabled=False)
        seen.add(refused(CyclesClient(stranger).get_balances(tenant="acme"), 401, ErrorCode.UNAUTHORIZED))
    with CyclesClient(config(server, "late")) as client:
        seen.add(refused(client.get_balances(tenant="late"), 403, ErrorCode.FORBIDDEN))
    with CyclesClient(config(server, "gone")) as client:
        closed = client.create_reservation(reservation(tokens(1), subject=Subject(tenant="gone")))
        seen.add(refused(closed, 409, ErrorCode.TENANT_CLOSED))
    return seen


def planned_errors(server):
    with CyclesClient(config(server)) as client:
        throttled = client.get_balances(tenant="acme")
        check(throttled.retry_after_ms_header == 2_000, "Retry-After")
        codes = {refused(throttled, 429, ErrorCode.LIMIT_EXCEEDED)}
        codes.add(refused(client.get_balances(tenant="acme"), 500, ErrorCode.INTERNAL_ERROR))
        codes.add(refused(client.get_balances(tenant="acme"), 409, ErrorCode.DEBT_OUTSTANDING))
        check(client.get_balances(tenant="acme").is_success, "the planned errors are used up")
        return codes


def high_level(server):
    with CyclesClient(config(server)) as client:
        before = balance(client)[0]

        @runcycles.cycles(
            estimate=1_000, actual=lambda text: len(text), action_kind="llm.completion", action_name="model",
            unit=Unit.TOKENS, client=client,
        )
        def work(text):
            context = runcycles.get_cycles_context()
            check(context is not None and context.reservation_id, "the context of the work")
            return text * 3

        check(work("abc") == "abcabcabc", "the decorator returns the work's result")
        check(balance(client)[0] == before + 9, "the decorator commits")

        with client.stream_reservation(
            action=Action(kind="llm.completion", name="model"), estimate=tokens(1_000), ttl_ms=20_000,
        ) as stream:
            stream.usage.add_output_tokens(5)
            stream.usage.set_actual_cost(5)
        check(balance(client)[0] == before + 14, "a stream commits")

        class Refused(Exception):
            pass

        @runcycles.cycles(estimate=1_000, action_kind="k", action_name="n", unit=Unit.TOKENS, client=client)
        def failing():
            raise Refused()

        try:
            failing()
        except Refused:
            pass
        check(balance(client)[:2] == (before + 14, 0 + balance(client)[1]), "failing work is charged nothing")


class Journal:
    """A server with a state file, and a journal that both clients use."""

    def __init__(self, home):
        os.chmod(home, 0o700)
        self.directory = os.path.join(home, "journal")
        self.arguments = [
            "--state", os.path.join(home, "state.json"), "--budget", "tenant:acme=1000:TOKENS", "--api-key", "acme=acme-key",
        ]
        self.server = Server(*self.arguments)
        self.environment = {
            **os.environ, "CYCLES_BASE_URL": self.server.url, "CYCLES_API_KEY": "acme-key", "CYCLES_TENANT": "acme",
            "CYCLES_JOURNAL_DIR": self.directory,
        }

    def restart(self, *arguments):
        self.server = Server(*self.arguments, *arguments, port=self.server.port)

    def tool(self, *arguments):
        return subprocess.run([TOOL, *arguments], env=self.environment, text=True, capture_output=True)

    def config(self, **options):
        return config(self.server, journal_enabled=True, journal_dir=self.directory, **options)

    def records(self):
        """The records on disk, by their reservation ids."""
        found = {}
        for folder, _, names in os.walk(self.directory):
            for name in names:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    record = json.load(file)
                check(name.endswith(".json"), f"{name} is a record")
                found[record["reservation_id"]] = record
        return found

    def spent(self):
        return int(self.tool("balances").stdout.splitlines()[-1].split()[2])

    def leave(self, tokens):
        """Leaves a pending settlement of the tool: its server ends while the command runs."""
        script = f"echo tokens {tokens} >> $CYCLES_USAGE_FILE; kill {self.server.process.pid}"
        left = self.tool(
            "run", "--estimate", "100:TOKENS", "--action", "llm.completion/model", "--settle-timeout", "0s", "--", "sh", "-c",
            script,
        )
        check(left.returncode == 0 and "cycles journal flush" in left.stderr, f"the tool leaves a settlement: {left}")
        self.server.process.wait(10)

    def replay_by_python(self):
        """Runs a program of the Python client, which replays the journal once for each process."""
        ended = subprocess.run([sys.executable, __file__, "--work", self.server.url, self.directory], timeout=60)
        check(ended.returncode == 0 and not self.records(), f"the Python client settles the records: {self.records()}")


def work_of_another_process(url, directory):
    """Spends one token with a client that replays the journal, and exits."""
    options = CyclesConfig(
        base_url=url, api_key="acme-key", tenant="acme", journal_enabled=True, journal_dir=directory,
        retry_initial_delay=0.05, retry_flush_timeout=20.0,
    )
    with CyclesClient(options) as client:

        @runcycles.cycles(
            estimate=10, actual=lambda result: 1, action_kind="llm.completion", action_name="model", unit=Unit.TOKENS,
            client=client,
        )
        def work():
            return "done"

        work()
        deadline = time.monotonic() + 20
        while any(names for _, _, names in os.walk(directory)) and time.monotonic() < deadline:
            time.sleep(0.05)


def records_of_python(journal):
    """The tool settles records of the Python client, each under one key."""
    with CyclesClient(journal.config(retry_enabled=False, retry_flush_timeout=0.0)) as client:

        @runcycles.cycles(
            estimate=100, actual=lambda result: 42, action_kind="llm.completion", action_name="model",
            unit=Unit.TOKENS, client=client,
        )
        def work():
            journal.server.stop()
            return "done"

        try:
            work()
        except Exception as error:  # Any error is accepted here; the record is checked below.
            print(f"  (error of the Python client: {type(error).__name__})")
    listed = journal.tool("journal", "list")
    check("(own)" in listed.stdout and "42 TOKENS" in listed.stdout, f"the tool sees it: {listed.stdout}")
    journal.restart()
    flushed = journal.tool("journal", "flush")
    check(flushed.returncode == 0 and flushed.stdout.startswith("1 settled"), f"the tool settles it: {flushed}")
    balances = journal.tool("balances").stdout.splitlines()[-1].split()
    check(balances == ["tenant:acme", "1000", "42", "0", "958", "TOKENS"], f"it is charged once: {balances}")


def events_of_python(journal):
    """The tool settles events of the Python client, without and with a commit body in the record."""
    from runcycles.journal import CommitJournal, PendingCommitRecord, auth_fingerprint

    before = journal.spent()
    folder = os.path.join(journal.directory, auth_fingerprint(journal.server.url, "acme-key", "acme"))
    kept = CommitJournal(pathlib.Path(folder))
    for number, commit in enumerate([None, {"idempotency_key": "event-1", "actual": {"unit": "TOKENS", "amount": 3}}]):
        kept.record(
            PendingCommitRecord(
                reservation_id=f"rsv_of_python_{number}", base_url=journal.server.url, mode="event", commit_body=commit,
                event_fallback_body={
                    "idempotency_key": f"event-{number}", "subject": {"tenant": "acme"},
                    "action": {"kind": "llm.completion", "name": "model"}, "actual": {"unit": "TOKENS", "amount": 3},
                },
            )
        )
    check(len(journal.records()) == 2, "the Python client keeps two events")
    listed = journal.tool("journal", "list")
    check(listed.stdout.count("3 TOKENS") == 2 and "corrupt" not in listed.stdout, f"the tool reads them: {listed.stdout}")
    flushed = journal.tool("journal", "flush")
    check(flushed.returncode == 0 and flushed.stdout.startswith("2 settled"), f"the tool charges them: {flushed}")
    check(journal.spent() == before + 6 and not journal.records(), "each event is charged once")


def records_of_tool(journal):
    """The Python client settles a commit and an event of the tool."""
    before = journal.spent()
    journal.leave(17)
    check([record["mode"] for record in journal.records().values()] == ["commit"], "the tool keeps a commit")
    journal.restart()
    journal.replay_by_python()
    check(journal.spent() == before + 18, "the commit of the tool is charged once")

    journal.leave(19)
    # The reservation has expired at the commit, and the event fails.
    journal.restart("--fail", "RESERVATION_EXPIRED", *["--fail", "INTERNAL_ERROR"] * 20)
    flushed = journal.tool("journal", "flush", "--timeout", "6s")
    check(flushed.returncode == 75, f"the event is pending: {flushed}")
    modes = [record["mode"] for record in journal.records().values()]
    check(modes == ["event"], f"the tool keeps an event: {modes} {flushed}")
    journal.server.stop()
    journal.restart()
    journal.replay_by_python()
    check(journal.spent() == before + 38, "the event of the tool is charged once")


def shared_journal():
    """Each client settles the records that the other leaves in the journal."""
    with tempfile.TemporaryDirectory() as home:
        journal = Journal(home)
        records_of_python(journal)
        events_of_python(journal)
        records_of_tool(journal)
        journal.server.stop()


def main():
    server = Server(*BUDGETS)
    operations(server)
    print("operations: create, commit, release, extend, decide, event, get, list, balances")
    high_level(server)
    print("high level: decorator and stream")
    server.stop()
    # Deployed servers never send some of the specification's codes.
    specified = Server(*BUDGETS, "--behavior", "specification")
    seen = errors(specified)
    specified.stop()
    planned = Server(
        "--fail", "LIMIT_EXCEEDED:2s", "--fail", "INTERNAL_ERROR", "--fail", "DEBT_OUTSTANDING", "--api-key", "acme=acme-key",
        "--budget", "tenant:acme=10:TOKENS",
    )
    seen |= planned_errors(planned)
    planned.stop()
    missing = {code for code in ErrorCode if code != ErrorCode.UNKNOWN} - seen
    check(not missing, f"every error of the protocol is seen; missing: {missing}")
    print(f"errors: {', '.join(sorted(code.value for code in seen))}")
    shared_journal()
    print("journal: commits and events of the Python client are settled by the tool, and the other way round, once")
    print(f"{checks} checks hold for runcycles {getattr(runcycles, '__version__', 'of unknown version')}")


if TOOL == "--work":
    work_of_another_process(*sys.argv[2:])
else:
    main()
