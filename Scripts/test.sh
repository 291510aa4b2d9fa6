#!/usr/bin/env bash
# Builds everything without warnings, checks the formatting, and runs all tests.
# Installs missing requirements: libcurl's headers; nginx and openssl for the TLS tests.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command nginx nginx-light
require_command openssl openssl

echo "== formatting"
swift format lint --strict --recursive Package.swift Sources Tests

echo "== build"
swift build --build-tests -Xswiftc -warnings-as-errors

echo "== tests"
# At most eight tests run at once: on a slow machine, a thousand tests in progress would leave connections idle for
# minutes between the steps of one test, and libcurl closes those.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=8
# Tests that hold leases of seconds run separately: a thousand other tests would keep them from the threads of tasks.
swift test --skip-build -Xswiftc -warnings-as-errors --skip ThreadShortageTests "$@"
if [ $# -eq 0 ]; then swift test --skip-build -Xswiftc -warnings-as-errors --filter ThreadShortageTests; fi
