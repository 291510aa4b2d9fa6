"""Runs the commands of README.md in the order of the page and compares their output with the quoted one."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
# What differs from run to run.
VARYING = [
    (r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:PORT"),
    (r"cyc_dev_\w+", "cyc_dev_KEY"),
    (r"trace [0-9a-f]{32}", "trace ID"),
    (r"request req_\d+", "request ID"),
    (r"rsv_\d+", "rsv_ID"),
]


def blocks(page):
    """The code blocks of the page: language and lines."""
    language, lines = None, []
    for line in page.split("\n"):
        if language is None and line.startswith("```"):
            language, lines = line[3:], []
        elif line == "```":
            yield language, lines
            language = None
        elif language is not None:
            lines.append(line)


def commands(lines):
    """The commands of a console block, each with the lines that it is said to print."""
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1][0] += "\n" + line
        else:
            found[-1][1].append(line)
    return found


def steady(text):
    for pattern, replacement in VARYING:
        text = re.sub(pattern, replacement, text)
    return [line.rstrip() for line in text.strip("\n").split("\n")]


def check(command, quoted, printed):
    """Fails unless each quoted line was printed, in the quoted order; a line of three dots stands for any others."""
    position, lines, gap = 0, steady(printed), False
    for line in steady("\n".join(quoted)):
        if line == "…":
            gap = True
            continue
        if gap or position == 0:
            while position < len(lines) and lines[position] != line:
                position += 1
        if position >= len(lines) or lines[position] != line:
            sys.exit(f"README.md quotes this line of `{command}`, which was not printed:\n{line}\n\n{printed}")
        position, gap = position + 1, False
    print(f"ok: {command.splitlines()[0]}", flush=True)


def run(command, folder, environment):
    outcome = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return outcome.returncode, outcome.stdout


def serve(command, environment, output):
    """Starts the authority of the page on a free port, and puts what it exports into the environment."""
    with open(output, "w") as file:
        process = subprocess.Popen(
            command.replace("cycles serve", "exec cycles serve --port 0"),
            shell=True, executable="/bin/bash", cwd=REPOSITORY, env=environment, stdout=file,
        )
    for _ in range(300):
        printed = pathlib.Path(output).read_text()
        if "Serving at" in printed:
            break
        time.sleep(0.1)
    for name, value in re.findall(r"(CYCLES_\w+)=(\S+)", printed):
        environment[name] = value
    return process, printed


def main():
    page = (REPOSITORY / "README.md").read_text()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CYCLES_")}
    with tempfile.TemporaryDirectory() as scratch:
        environment["HOME"] = scratch
        # The manifest of the page names ../Cycles.
        os.symlink(REPOSITORY, f"{scratch}/Cycles")
        program = pathlib.Path(scratch, "FirstProgram")
        (program / "Sources/FirstProgram").mkdir(parents=True)
        server = None
        try:
            for language, lines in blocks(page):
                text = "\n".join(lines) + "\n"
                if language == "swift" and "// swift-tools-version" in text:
                    (program / "Package.swift").write_text(text)
                elif language == "swift" and "@main" in text:
                    (program / "Sources/FirstProgram/FirstProgram.swift").write_text(text)
                elif language == "console":
                    for command, quoted in commands(lines):
                        if command == "Scripts/test.sh":
                            continue
                        if command.startswith("PATH="):
                            environment["PATH"] = run(f'{command}; printf %s "$PATH"', REPOSITORY, environment)[1]
                        elif command.startswith("cycles serve"):
                            server, printed = serve(command, environment, f"{scratch}/serve")
                            check(command, quoted, printed)
                        else:
                            folder = program if command.startswith("swift run") else REPOSITORY
                            check(command, quoted, run(command, folder, environment)[1])
        finally:
            if server:
                server.terminate()
                server.wait()


main()
