#!/usr/bin/env bash
# Runs all tests under the thread sanitizer and the address sanitizer, and a soak with a check for leaks. Fails on the first
# finding.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command nginx nginx-light
require_command openssl openssl
require_command cc gcc

# At most eight tests run at once: with a thousand slowed tests in progress, connections would idle for minutes between
# the steps of one test, and libcurl closes those.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=8

# run_tests SANITIZER SCRATCH-FOLDER [FLAG...]
run_tests() {
    local sanitizer=$1 scratch=$2
    shift 2
    echo "== $sanitizer sanitizer"
    swift build --build-tests --sanitize="$sanitizer" --scratch-path "$scratch" "$@"
    # Tests that hold leases of seconds run separately: among a thousand slowed tests the leases would run out.
    local choice
    for choice in --skip --filter; do
        env "${environment[@]}" swift test --skip-build --sanitize="$sanitizer" --scratch-path "$scratch" "$@" \
            "$choice" ThreadShortageTests
    done
}

# The thread sanitizer learns about tasks only with the hooks that are preloaded here, and only if the executable exports
# the sanitizer's functions. The suppressions list the remaining false findings.
environment=("TSAN_OPTIONS=halt_on_error=1 suppressions=$PWD/Scripts/lib/tsan-suppressions.txt" CYCLES_TESTS_COMPILE_NO_PROGRAMS=1 CYCLES_TESTS_LIFECYCLES=500 CYCLES_TESTS_ARE_SLOWED=1)
flags=()
if [ "$(uname)" = Linux ]; then
    mkdir -p .build-tsan
    cc -shared -fPIC -o .build-tsan/tsan-hooks.so Scripts/lib/tsan-hooks.c -ldl
    environment+=("LD_PRELOAD=$PWD/.build-tsan/tsan-hooks.so")
    flags=(-Xlinker --export-dynamic)
fi
run_tests thread .build-tsan "${flags[@]}"

# The tests run without the check for leaks. The soak runs with it: no library but the client's works there.
environment=("ASAN_OPTIONS=detect_leaks=0:suppressions=$PWD/Scripts/lib/asan-suppressions.txt" CYCLES_TESTS_COMPILE_NO_PROGRAMS=1 CYCLES_TESTS_LIFECYCLES=500 CYCLES_TESTS_ARE_SLOWED=1)
run_tests address .build-asan

echo "== leaks"
Scripts/soak.sh --leaks --lifecycles 5000
