#!/usr/bin/env bash
# Fuzzes everything that reads bytes of others, with libFuzzer, the address sanitizer and its leak check.
# Usage: Scripts/fuzz.sh SECONDS [TARGET …]; without a target, all targets of Tests/Fuzzing run, one after the other.
# Each target starts from Tests/Fuzzing/Corpus and keeps new inputs in .build-fuzz/corpus. A finding ends the script with a
# failure, and its input stays in .build-fuzz. With 0 seconds, the targets are built only.
# Scripts/fuzz.sh merge [TARGET …] replaces the corpus by the best of all inputs so far.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
seconds=${1:?usage: Scripts/fuzz.sh SECONDS [TARGET …]}
shift

package=$PWD
root=$PWD/.build-fuzz
mkdir -p "$root/modules"
flags=(
    -O -g -wmo -parse-as-library -enable-testing -sanitize=fuzzer,address -swift-version 6 -package-name cycles
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility
    -enable-upcoming-feature InternalImportsByDefault -enable-upcoming-feature NonisolatedNonsendingByDefault
    -I "$root/modules" -I "$package/Sources/CCurl"
)

# is_current OUTPUT INPUT …: whether an output exists that is newer than all files of its inputs.
is_current() {
    local output=$1
    shift
    [ -e "$output" ] && [ -z "$(find "$@" -newer "$output" -print -quit)" ]
}

# module NAME FOLDER [FLAG …]: compiles a module of the package, which may import the modules before it.
objects=()
module() {
    local name=$1 folder=$package/$2 object=$root/modules/$1.o
    shift 2
    if ! is_current "$object" "$folder" "${objects[@]}"; then
        echo "== build $name"
        find "$folder" -name '*.swift' >"$root/modules/$name.sources"
        # The compiler leaves files of the module where it runs.
        (cd "$root/modules" && swiftc "${flags[@]}" "$@" -module-name "$name" -emit-module -c @"$name.sources" -o "$object")
    fi
    objects+=("$object")
}
module Cycles Sources/Cycles $(pkg-config --cflags-only-I libcurl | sed 's/\(-I[^ ]*\)/-Xcc \1/g')
module CyclesTesting Sources/CyclesTesting
# The tool's main function makes room for that of libFuzzer.
module CyclesCLI Sources/CyclesCLI -Xfrontend -entry-point-function-name -Xfrontend CyclesCLI_main
if ! is_current "$root/fuzzing" Tests/Fuzzing/Targets Tests/Fuzzing/LibFuzzer.swift "${objects[@]}"; then
    echo "== build fuzzing"
    find "$package/Tests/Fuzzing" -name '*.swift' -not -name ReplayTests.swift >"$root/modules/fuzzing.sources"
    (
        cd "$root/modules"
        swiftc "${flags[@]}" -use-ld=lld -module-name CyclesFuzzing @fuzzing.sources "${objects[@]}" \
            $(pkg-config --libs libcurl) -o "$root/fuzzing"
    )
fi

[ $# -gt 0 ] || set -- $(ls Tests/Fuzzing/Corpus)
for target in "$@"; do
    new=$root/corpus/$target
    log=$root/$target.log
    mkdir -p "$new"
    fuzzing() {
        # Leaks are looked for when the process ends: libFuzzer's own check after each input that allocates, for instance
        # the metadata of a type, takes most of the time.
        CYCLES_FUZZ_TARGET=$target SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=1 "$root/fuzzing" \
            -detect_leaks=0 -max_len=4096 -timeout=10 -artifact_prefix="$root/$target-" "$@" 2>"$log"
    }
    if [ "$seconds" = merge ]; then
        rm -rf "$root/merged" "$root/kept" "$root/merge"
        mkdir "$root/merged" "$root/kept"
        fuzzing -merge=1 -merge_control_file="$root/merge" "$root/merged" "Tests/Fuzzing/Corpus/$target" "$new"
        python3 Scripts/lib/minimise-corpus.py "$root/merge" "Tests/Fuzzing/Corpus/$target" "$root/kept"
        rm -rf "Tests/Fuzzing/Corpus/$target"
        mv "$root/kept" "Tests/Fuzzing/Corpus/$target"
        echo "$target: $(find "Tests/Fuzzing/Corpus/$target" -type f | wc -l) inputs"
    elif [ "$seconds" -gt 0 ]; then
        fuzzing -max_total_time="$seconds" -print_final_stats=1 -dict="Tests/Fuzzing/Dictionaries/$target.dict" \
            "$new" "Tests/Fuzzing/Corpus/$target" || {
            tail -40 "$log" >&2
            echo "error: $target: a finding; its input is $root/$target-…" >&2
            exit 1
        }
        pattern='s/.*DONE *cov: \([0-9]*\) ft: \([0-9]*\) corp: \([0-9]*\)\/\([^ ]*\) .*/\1 edges, \2 features, corpus of \3 inputs (\4)/p'
        echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions, $(sed -n "$pattern" "$log")," \
            "$(sed -n 's/^stat::peak_rss_mb: *//p' "$log") MiB of memory at most"
    fi
done
