"""The world of one test: its programs in a directory of their own, the eras of the protocol, and the SDK's clients."""

import contextlib
import json
import shutil
import tempfile
from pathlib import Path

import anyio
import jsonschema
from anyio import EndOfStream
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import methods

import programs
from programs import KEY, PATIENCE, PROTOCOL_VERSION
from reporting import check

CLIENT_INFO = {"name": "cycles-tests", "version": "1"}


class Era:
    """An era of the protocol: the mode of the SDK's client, and the form of requests and results."""

    def __init__(self, name, mode, version):
        self.name, self.mode, self.version = name, mode, version
        self.is_legacy = mode == "legacy"
        self.handshake = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT_INFO}

    def params(self, params):
        """The member `params` of a request, with the metadata of the era."""
        if self.is_legacy:
            return {} if params is None else {"params": params}
        return {"params": (params or {}) | {"_meta": self.meta(self.version)}}

    @staticmethod
    def meta(version):
        return {
            PROTOCOL_VERSION: version, "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
        }

    def validate(self, method, result):
        """Checks that a result has the form that this version prescribes."""
        if (method, self.version) in methods.SERVER_RESULTS:
            try:
                methods.validate_server_result(method, self.version, result)
            except ValueError as error:
                check(False, f"{method}: a result of {self.version}: {error}")
        only_modern = {"resultType", "ttlMs", "cacheScope"} & result.keys()
        if self.is_legacy:
            check(not only_modern, f"{method}: no members of a later version: {only_modern}")
            return
        check(result.get("resultType") == "complete", f"{method}: the result is complete")
        is_cacheable = method == "server/discover" or method.endswith("/list") or method == "resources/read"
        if is_cacheable:
            lifetime = result.get("ttlMs")
            check(type(lifetime) is int and lifetime >= 0, f"{method}: ttlMs is {lifetime}")
            check(result.get("cacheScope") == "private", f"{method}: the answer is private")


LEGACY = Era("legacy", "legacy", "2025-11-25")
MODERN = Era("2026-07-28", "2026-07-28", "2026-07-28")
ERAS = [LEGACY, MODERN]


class Recorded:
    """The SDK's transport over a subprocess, which keeps all messages of the server."""

    def __init__(self, parameters, errors, messages):
        self.inner = stdio_client(parameters, errlog=errors)
        self.messages = messages

    async def __aenter__(self):
        reading, writing = await self.inner.__aenter__()
        return RecordedStream(reading, self.messages), writing

    async def __aexit__(self, *failure):
        return await self.inner.__aexit__(*failure)


class RecordedStream:
    """The messages of a server, which are kept as they pass."""

    def __init__(self, inner, messages):
        self.inner, self.messages = inner, messages

    async def receive(self):
        item = await self.inner.receive()
        # A line that is no message arrives as an exception.
        check(not isinstance(item, Exception), f"each line of the server is a message: {item}")
        self.messages.append(item.message.model_dump_json(exclude_unset=True))
        return item

    async def aclose(self):
        await self.inner.aclose()

    def close(self):
        self.inner.close()

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *failure):
        await self.aclose()


class Session:
    """A session of the SDK's client with a server of its own."""

    def __init__(self, client, era, tools):
        self.client, self.era, self.tools = client, era, tools

    async def result(self, tool, arguments):
        """Calls a tool. The result conforms to the tool's schema."""
        result = await self.client.call_tool(tool, arguments)
        conforms(self.tools[tool], result.model_dump(by_alias=True, mode="json", exclude_none=True))
        return result

    async def call(self, tool, **arguments):
        """Calls a tool that answers, and returns its structured content and its other text.

        On a slow machine, the first answer to a commit may be that it is queued: asks until it is done.
        """
        with anyio.fail_after(PATIENCE):
            while True:
                result = await self.result(tool, arguments)
                check(result.is_error is False, f"{tool} answers: {result.content}")
                if result.structured_content.get("status") != "QUEUED":
                    return result.structured_content, hint(result.content)
                await anyio.sleep(0.1)

    async def call_and_ignore(self, tool, arguments):
        await self.client.call_tool(tool, arguments)

    async def fails(self, tool, **arguments):
        """Calls a tool that fails, and returns its text."""
        result = await self.result(tool, arguments)
        check(result.is_error is True, f"{tool} fails: {result.structured_content}")
        return "\n".join(block.text for block in result.content)


def hint(content):
    """The text of a result besides its JSON."""
    return "\n".join(block.text for block in content if not block.text.startswith("{"))


def conforms(tool, result):
    """Checks a result of a tool by the tool's own schema."""
    name = tool["name"]
    texts = [block["text"] for block in result["content"] if block["type"] == "text"]
    check(texts and all(texts), f"{name}: a result has text: {result}")
    if result.get("isError"):
        return
    content = result.get("structuredContent")
    check(isinstance(content, dict), f"{name}: structured content: {result}")
    defect = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(tool["outputSchema"]).iter_errors(content))
    check(defect is None, f"{name}: structured content of the schema: {defect and defect.message}: {content}")
    check(content in [json.loads(text) for text in texts if text.startswith("{")], f"{name}: the JSON is in the text too")


class World:
    """The programs of one test. All end with it."""

    def __init__(self, tool):
        self.tool = tool
        self.directory = Path(tempfile.mkdtemp(prefix="cycles-mcp-"))
        self.programs = []
        self.messages = []
        self.homes = 0

    def home(self):
        self.homes += 1
        home = self.directory / f"home-{self.homes}"
        home.mkdir()
        return home

    def authority(self, *budgets, options=(), port=0):
        authority = programs.Authority(self.tool, self.home(), *budgets, options=options, port=port)
        self.programs.append(authority)
        return authority

    def gate(self, authority):
        gate = programs.Gate(authority.port)
        self.programs.append(gate)
        return gate

    def lines(self, era, url, *arguments, **others):
        """A server that is driven line by line, after the handshake if the era has one."""
        return self.unopened(era, url, *arguments, **others).open()

    def unopened(self, era, url, *arguments, home=None, wrapper=(), **variables):
        home = home or self.home()
        environment = programs.environment(home, url, **variables)
        return self.started([*wrapper, self.tool, "mcp", *arguments], environment, home, era)

    def started(self, command, environment, home, era):
        session = programs.Lines(command, environment, home, era)
        self.programs.append(session)
        return session

    @contextlib.asynccontextmanager
    async def session(self, era, url, *arguments, home=None, mode=None, command=None):
        """A session of the SDK's client, with a server of its own."""
        home = home or self.home()
        parameters = command or StdioServerParameters(
            command=self.tool, args=["mcp", *arguments], env=programs.environment(home, url)
        )
        with (home / "errors-of-clients").open("a") as errors:
            transport = Recorded(parameters, errors, self.messages)
            async with Client(transport, mode=mode or era.mode, read_timeout_seconds=PATIENCE, cache=None) as client:
                listed = (await client.list_tools()).model_dump(by_alias=True, mode="json", exclude_none=True)["tools"]
                yield Session(client, era, {tool["name"]: tool for tool in listed})

    def note(self, what, value):
        """Prints a figure that is no check."""
        print(f"{what}: {value}", flush=True)

    def check_secrets(self):
        """Checks that no output and no file contains the key."""
        outputs = {"messages of the SDK's servers": "\n".join(self.messages).encode()}
        outputs |= {f"output {n}": bytes(p.output) for n, p in enumerate(self.programs) if hasattr(p, "output")}
        outputs |= {str(file): file.read_bytes() for file in self.directory.rglob("*") if file.is_file()}
        for name, output in outputs.items():
            check(KEY.encode() not in output, f"no key in {name}")

    def close(self):
        for program in reversed(self.programs):
            (program.close if isinstance(program, programs.Gate) else program.stop)()
        shutil.rmtree(self.directory, ignore_errors=True)
