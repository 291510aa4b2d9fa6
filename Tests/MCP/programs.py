"""The programs that a test runs: an authority, `cycles mcp` driven line by line, and a gate between the two."""

import json
import os
import queue
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from reporting import check

# A wait for something that is to happen. Only a failure takes this long.
PATIENCE = 60
KEY = "cyc_test_7Rw2kQ9vXb4LmN8s"
PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"


def wait_until(condition, what, patience=PATIENCE):
    """Waits until a condition holds, and returns its value."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            check(False, f"within {patience} s: {what}")
        time.sleep(0.02)


class Authority:
    """`cycles serve` on a free port, with one key for the tenant acme."""

    def __init__(self, tool, directory, *budgets, options=(), port=0):
        self.log = directory / "authority.log"
        arguments = [part for budget in budgets or ["tenant:acme=1000000:TOKENS"] for part in ("--budget", budget)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [tool, "serve", "--port", str(port), "--log", "--api-key", f"acme={KEY}", *arguments, *options],
                stdout=subprocess.PIPE, stderr=log,
            )
        for line in self.process.stdout:
            found = re.match(rb"Serving at (http://127\.0\.0\.1:(\d+))", line)
            if found:
                self.url, self.port = found[1].decode(), int(found[2])
                return
        check(False, f"the authority starts: {self.log.read_text()}")

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={"X-Cycles-API-Key": KEY})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def balance(self, scope="tenant:acme"):
        """What is spent and what is reserved."""
        for balance in self.get("/v1/balances?tenant=acme")["balances"]:
            if balance["scope_path"] == scope:
                return balance["spent"]["amount"], balance["reserved"]["amount"]

    def settles_at(self, spent, what, scope="tenant:acme"):
        """Waits until nothing is reserved, and checks what is spent."""
        wait_until(lambda: self.balance(scope)[1] == 0, f"{what}: nothing is reserved")
        check(self.balance(scope) == (spent, 0), f"{what}: {spent} is spent, not {self.balance(scope)[0]}")

    def lease_end(self, reservation):
        """When a reservation that is active expires."""
        try:
            return self.get(f"/v1/reservations/{reservation}")["expires_at_ms"]
        except urllib.error.HTTPError as error:
            check(False, f"{reservation} is active: {error.read().decode()}")

    def reservations(self):
        """The status of each reservation, by its id."""
        found, cursor = {}, ""
        while cursor is not None:
            page = self.get(f"/v1/reservations?tenant=acme&limit=200{cursor and '&cursor=' + urllib.parse.quote(cursor)}")
            found |= {entry["reservation_id"]: entry["status"] for entry in page["reservations"]}
            cursor = page.get("next_cursor") if page["has_more"] else None
        return found

    def requests(self, prefix=""):
        """The requests that the authority has answered, less those of this class."""
        lines = [line for line in self.log.read_text().splitlines() if re.match(r"(GET|POST) /v1/", line)]
        mine = re.compile(r"GET /v1/(balances\?tenant=acme|reservations\?tenant=acme&limit=200\S*): ")
        return [line for line in lines if not mine.match(line) and line.startswith(prefix)]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)
        self.process.stdout.close()


class Gate:
    """A proxy that holds requests or answers back, so that a test can act while a call is under way."""

    def __init__(self, port):
        self.upstream = port
        self.requests, self.answers = threading.Event(), threading.Event()
        self.requests.set()
        self.answers.set()
        self.drops = 0
        self.held = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                return
            for source, target, gate in ((near, far, self.requests), (far, near, self.answers)):
                threading.Thread(target=self._pump, args=(source, target, gate), daemon=True).start()

    def _pump(self, source, target, gate):
        drops = self.drops
        try:
            while data := source.recv(65_536):
                if not gate.is_set():
                    self.held.append(data)
                    gate.wait()
                if self.drops != drops:
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def hold(self, gate):
        """Holds back what arrives from now on."""
        self.held = []
        gate.clear()

    def wait_for_held(self, text=b"", count=1):
        """Waits until messages that contain this text are held back."""
        wait_until(lambda: sum(text in data for data in self.held) >= count, f"{count} messages with {text} are held back")

    def drop(self):
        """Throws away what is held back, and lets later connections through."""
        self.drops += 1
        self.requests.set()
        self.answers.set()

    def close(self):
        self.listener.close()
        self.drop()


class Lines:
    """`cycles mcp`, driven line by line: sends what the SDK does not let one send, and keeps all output."""

    def __init__(self, command, environment, home, era):
        self.era, self.home = era, home
        self.errors = home / f"errors-{id(self)}"
        with self.errors.open("wb") as errors:
            self.started = time.perf_counter()
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment
            )
        self.output = bytearray()
        self.arrived = queue.Queue()
        self.waiting = {}
        self.last_id = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.output += line
            self.arrived.put(line)
        self.arrived.put(None)

    def open(self):
        """Shakes hands, if the era does."""
        if self.era.is_legacy:
            self.request("initialize", self.era.handshake)
            self.send({"method": "notifications/initialized"})
        return self

    def send_bytes(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message):
        self.send_bytes(json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n")

    def start(self, method, params=None, id=None):
        """Sends a request, and returns its id."""
        if id is None:
            self.last_id += 1
            id = self.last_id
        self.send({"id": id, "method": method} | self.era.params(params))
        return id

    def next(self):
        """The next message of the server."""
        try:
            line = self.arrived.get(timeout=PATIENCE)
        except queue.Empty:
            check(False, f"an answer within {PATIENCE} s; standard error: {self.errors.read_text()[-500:]}")
        check(line is not None, f"the server runs; standard error: {self.errors.read_text()[-500:]}")
        check(line.endswith(b"\n") and line.count(b"\n") == 1, "a message is one line")
        message = json.loads(line)
        check(message.get("jsonrpc") == "2.0", f"a message of JSON-RPC 2.0: {line[:200]}")
        check("method" not in message, f"only answers: {line[:200]}")
        check(("result" in message) != ("error" in message), f"a result or an error: {line[:200]}")
        return message

    def finish(self, id):
        """Waits for the answer to a request. Other answers are kept for their callers."""
        key = json.dumps(id)
        while key not in self.waiting:
            message = self.next()
            check("id" in message, f"an answer has an id: {message}")
            found = json.dumps(message["id"])
            check(found not in self.waiting, f"one answer to request {found}")
            self.waiting[found] = message
        return self.waiting.pop(key)

    def request(self, method, params=None, id=None):
        """Sends a request, and returns its valid result."""
        message = self.finish(self.start(method, params, id))
        check("result" in message, f"{method} has a result: {message}")
        self.era.validate(method, message["result"])
        return message["result"]

    def refused(self, method, code, params=None, id=None):
        """Sends a request, and returns its error, which has this code."""
        return self.is_error(self.finish(self.start(method, params, id)), code, method)

    def is_error(self, message, code, what):
        codes = code if isinstance(code, tuple) else (code,)
        error = message.get("error")
        check(error is not None and error.get("code") in codes, f"{what}: error {code}, not {message}")
        check(isinstance(error.get("message"), str) and error["message"], f"{what}: the error has a message")
        return error

    def call(self, tool, arguments):
        """Calls a tool. On a slow machine, the first answer to a commit may be that it is queued: asks until it is done."""
        end = time.monotonic() + PATIENCE
        while True:
            result = self.request("tools/call", {"name": tool, "arguments": arguments})
            if result.get("structuredContent", {}).get("status") != "QUEUED":
                return result
            check(time.monotonic() < end, f"{tool} is confirmed within {PATIENCE} s: {result}")
            time.sleep(0.1)

    def is_silent(self, what):
        """Checks that all answers have been asked for, by a request whose answer comes last."""
        id = self.start("ping" if self.era.is_legacy else "server/discover")
        message = self.next()
        check(message.get("id") == id, f"{what} is not answered: {message}")
        check(not self.waiting, f"{what} is not answered: {self.waiting}")

    def memory(self):
        """The largest resident size so far in bytes, or None where the system does not tell it."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return None
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1_024

    def close(self):
        """Ends the session, and checks that the server exits with status 0 and has said nothing unasked."""
        self.process.stdin.close()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            check(False, f"the server exits when its input ends, within {PATIENCE} s")
        check(status == 0, f"the end of a session is a success, not {status}: {self.errors.read_text()[-500:]}")
        while (line := self.arrived.get(timeout=PATIENCE)) is not None:
            check(False, f"no answer that nobody waits for: {line[:200]}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends the process if a test left it behind."""
        if self.process.poll() is None:
            self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except OSError:
                pass


def environment(home, url, **variables):
    """The environment of a server: nothing of the caller's but PATH."""
    return {
        "PATH": os.environ["PATH"], "HOME": str(home), "CYCLES_BASE_URL": url, "CYCLES_API_KEY": KEY,
        "CYCLES_TENANT": "acme", "CYCLES_READ_TIMEOUT": "60s", "CYCLES_CONNECT_TIMEOUT": "60s",
    } | variables
