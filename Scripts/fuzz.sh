#!/usr/bin/env bash
# Fuzzes the readers of signed documents with libFuzzer and the address sanitizer.
# Usage: Scripts/fuzz.sh SECONDS [TARGET …]; the targets are canonical, envelope, keys and webhook. A finding ends the script
# with a failure, and its input stays in .build-fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
seconds=${1:?usage: Scripts/fuzz.sh SECONDS [TARGET …]}
shift
[ $# -gt 0 ] || set -- canonical envelope keys webhook

root=$PWD/.build-fuzz
mkdir -p "$root"
sources=$PWD/Sources/Cycles
echo "== build"
# All folders that need no libcurl, as one module with the entry point.
find "$sources"/{Configuration,Errors,Events,Model,Support,Wire,Evidence,Webhooks} "$sources/Transport" -name '*.swift' \
    -not -path '*/Transport/Curl/*' >"$root/sources"
(
    # The compiler leaves files of the module where it runs.
    fuzzing=$PWD/Tests/Fuzzing/Fuzzing.swift
    cd "$root"
    swiftc -O -g -wmo -parse-as-library -sanitize=fuzzer,address -use-ld=lld -package-name cycles \
        -module-name CyclesFuzzing -swift-version 6 -enable-upcoming-feature ExistentialAny \
        -enable-upcoming-feature NonisolatedNonsendingByDefault @sources "$fuzzing" -o fuzzing
)

for target in "$@"; do
    echo "== $target, $seconds s"
    mkdir -p "$root/$target"
    case $target in
    canonical | envelope) cp Tests/Evidence/*.json "$root/$target" ;;
    keys) cp Tests/Evidence/keys.json "$root/$target" ;;
    webhook)
        printf '%s' '{"event_id":"evt_1","event_type":"budget.exhausted","category":"budget","timestamp":"t",' \
            '"tenant_id":"acme","source":"s","data":{"a":[1,2.5e3,"\u00e9",null,true]}}' >"$root/$target/event.json"
        ;;
    esac
    CYCLES_FUZZ_TARGET=$target ASAN_OPTIONS=detect_leaks=0 "$root/fuzzing" -max_total_time="$seconds" -max_len=4096 \
        -timeout=10 -print_final_stats=1 -artifact_prefix="$root/$target-" "$root/$target" 2>"$root/$target.log" || {
        tail -40 "$root/$target.log" >&2
        echo "error: $target: a finding; its input is $root/$target-…" >&2
        exit 1
    }
    sed -n 's/^stat::number_of_executed_units: */executions: /p; s/^Done \(.*\)/\1/p' "$root/$target.log"
done
