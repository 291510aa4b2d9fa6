#!/usr/bin/env bash
# usage: mcp.sh [--only PATTERN] [PROGRAM]
# Drives `cycles mcp` with the Python SDK of the Model Context Protocol, in both eras of the protocol, and line by line with
# what the SDK does not send. Prints a table of the checks, then the time to the first answer, the memory and the size of
# the program if it is static.
# Without PROGRAM: the static program of Scripts/build-static.sh if it is newer than the sources, otherwise the debug build,
# which is built first. With --only, runs the cases whose name contains the pattern.
# The environment of Python is in .build-mcp. Installs missing requirements: libcurl's headers, Python with venv; strace, which
# makes the disk slow for a test.
set -euo pipefail
pattern=
if [ "${1:-}" = --only ]; then
    pattern=${2:?--only needs a pattern}
    shift 2
fi
program=${1:+$(readlink -f "$1")}
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh
# The servers must not use a server named in the caller's environment.
unset ${!CYCLES_@}

require_command python3 python3
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "The SDK needs Python 3.10 or later; python3 is $(python3 --version 2>&1 | cut -d ' ' -f 2)." >&2
    exit 1
fi
python3 -c 'import ensurepip' 2>/dev/null || install_package python3-venv "Python's venv"
[ "$(uname -s)" != Linux ] || require_command strace strace

root=$PWD/.build-mcp
requirements=Tests/MCP/requirements.txt
[ -x "$root/bin/python" ] || python3 -m venv "$root"
if ! cmp -s "$requirements" "$root/installed"; then
    "$root/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$root/installed"
fi

if [ -z "$program" ]; then
    program=$(find "$PWD/.build-static" -maxdepth 2 -path '*/cycles-*-linux-*/cycles' 2>/dev/null | sort -V | tail -n 1)
    if [ -z "$program" ] || [ -n "$(find Package.swift Sources -newer "$program" -print -quit)" ]; then
        require_swift
        require_pkg_config libcurl libcurl4-openssl-dev
        swift build --quiet --product cycles >&2
        program=$(swift build --product cycles --show-bin-path)/cycles
    fi
fi

measure=()
if [ -z "$pattern" ]; then
    if readelf -d "$program" 2>/dev/null | grep -q 'There is no dynamic section'; then
        measure=(--measure)
    else
        echo "Not measured: the program is not static; Scripts/build-static.sh builds one that is." >&2
    fi
fi
echo "== $program" >&2
exec "$root/bin/python" -B Tests/MCP/run.py "$program" "${measure[@]}" --only "$pattern"
