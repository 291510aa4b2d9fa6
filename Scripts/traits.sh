#!/usr/bin/env bash
# Builds a program that depends on Cycles with no trait, with each trait, and with all; shows the packages that each
# configuration fetches, checks that the program links no Foundation, and runs the tests of the enabled traits.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command readelf binutils

package=Tests/Integrations
scratch=$PWD/.build-integrations
all=Logging,Metrics,Tracing,ServiceLifecycle

# check TRAITS COUNT: the number of fetched packages that is expected.
check() {
    local traits=$1 expected=$2 fetched libraries
    echo "== traits: ${traits:-none}"
    rm -f "$package/Package.resolved"
    export CYCLES_TRAITS=$traits
    swift build --package-path "$package" --scratch-path "$scratch" --product Consumer
    fetched=$(sed -n 's/.*"identity" : "\(.*\)",/\1/p' "$package/Package.resolved" 2>/dev/null || true)
    echo "fetches: $(echo ${fetched:-nothing})"
    if [ "$(echo $fetched | wc -w)" -ne "$expected" ]; then
        echo "error: $expected packages were expected" >&2
        exit 1
    fi
    libraries=$(readelf -d "$scratch/debug/Consumer" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    echo "links: $(echo $libraries)"
    if grep -q Foundation <<<"$libraries"; then
        echo "error: the program links Foundation" >&2
        exit 1
    fi
    if [ -n "$traits" ]; then swift test --package-path "$package" --scratch-path "$scratch"; fi
}

check "" 0
check Logging 1
check Metrics 1
check Tracing 1
check ServiceLifecycle 4
check $all 6
