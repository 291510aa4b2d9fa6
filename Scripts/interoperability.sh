#!/usr/bin/env bash
# Tests `cycles serve` and the shared journal with another client of the protocol, `runcycles` in Python.
# All files are in .build-interoperability. Installs missing requirements: libcurl's headers, Python with venv.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command python3 python3
python3 -c 'import ensurepip' 2>/dev/null || install_package python3-venv "Python's venv"

root=$PWD/.build-interoperability
[ -x "$root/bin/python" ] || python3 -m venv "$root"
"$root/bin/python" -c 'import runcycles' 2>/dev/null || "$root/bin/pip" install --quiet --disable-pip-version-check 'runcycles==0.5.3'

swift build --quiet --product cycles >&2
exec "$root/bin/python" Scripts/lib/interoperability.py "$(swift build --product cycles --show-bin-path)/cycles"
