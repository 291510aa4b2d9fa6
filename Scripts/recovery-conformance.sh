#!/usr/bin/env bash
# Runs all scenarios of the recovery-conformance catalogue through Scripts/recovery-adapter, each in new processes, and
# prints one JSON result a line. Installs missing requirements: libcurl's headers.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev

echo "== build" >&2
swift build --build-tests >&2

passed=0
failed=0
while read -r scenario _; do
    case $scenario in "" | \#*) continue ;; esac
    if printf '{"id": "%s"}\n' "$scenario" | Scripts/recovery-adapter "$scenario"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done <Scripts/lib/recovery-bindings.txt
echo "$passed passed, $failed failed" >&2
[ "$failed" -eq 0 ]
