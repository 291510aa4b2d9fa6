#!/usr/bin/env bash
# Takes resources from real processes that spend: descriptors, memory, the disk, the processor, the name server, the standard
# streams. For each fault, prints what the program sees and what the ledger of the authority says afterwards. Fails if a
# spend is lost, charged twice, or left reserved. Installs missing requirements: libcurl's headers, a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command cc gcc

if [ -z "${IN_NAMESPACE:-}" ]; then
    swift build -c release --product Faults >&2
    # What is mounted is mounted in a namespace, which ends with the script.
    if [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then
        IN_NAMESPACE=yes exec unshare --mount --propagation private "$0"
    fi
fi
program=$(swift build -c release --show-bin-path)/Faults
# On the disk of the build: temporary files may be in memory.
work=$(mktemp -d "$PWD/.build/faults.XXXXXX")
processes=()
finish() {
    for process in "${processes[@]}"; do kill -9 "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    umount "$work/small" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
for library in FailingSync SlowResolver; do
    cc -shared -fPIC -o "$work/$library.so" "Tests/Programs/$library.c" -ldl
done

failed=0
# begin TITLE: a new authority and a new journal.
begin() {
    echo
    echo "$1"
    if [ -n "${server:-}" ]; then { kill -9 "$server" && wait "$server" || true; } 2>/dev/null; fi
    : >"$work/url"
    "$program" serve >"$work/url" &
    server=$!
    processes+=("$server")
    wait_until '[ -s "$work/url" ]'
    url=$(cat "$work/url")
    journal=$work/journal-$((++journals))
}
journals=0

# show TEXT: shows lines without the numbers that differ between runs, and each line once.
show() {
    sed -E -e "s#$work#…#g" -e 's/rsv_[0-9]+/rsv_ID/g' -e 's#(127\.0\.0\.1|authority\.test):[0-9]+#\1:PORT#g' \
        -e 's/after [0-9]+ ms/after N ms/g' -e 's/v2-[0-9a-f]{64}/v2-HASH/g' -e 's#/[0-9a-f]{16}/#/FOLDER/#g' \
        -e 's/\.json\.[0-9]+\.[0-9a-f]+\.tmp/.json.N.tmp/g' -e 's#/[0-9]+-[0-9a-f]{8}\.tmp#/N.tmp#g' -e 's/^/    /' <<<"$1" |
        awk '!seen[$0]++'
}

wait_until() {
    local _
    for _ in $(seq 2400); do
        eval "$1" && return
        sleep 0.05
    done
    echo "Waited in vain for: $1" >&2
    cat "$work"/said* >&2 || true
    exit 1
}

# start NAME [VARIABLE=VALUE ...]: starts a worker that reads its commands from a pipe.
start() {
    local name=$1
    shift
    mkfifo "$work/pipe-$name-$journals"
    : >"$work/said-$name"
    env "$@" "$program" work "$address" "$journal" <"$work/pipe-$name-$journals" >"$work/said-$name" 2>&1 &
    worker=$!
    processes+=("$worker")
    exec 7>"$work/pipe-$name-$journals"
    speaker=$name
    wait_until 'grep -q "^ready" "$work/said-$speaker"'
}

# tell COMMAND: lets the worker perform a command, and shows the new lines that it prints.
tell() {
    local before
    before=$(wc -l <"$work/said-$speaker")
    echo "$1" >&7
    command=$1
    wait_until 'tail -n +$((before + 1)) "$work/said-$speaker" | grep -q "^$command: "'
    show "$(tail -n +$((before + 1)) "$work/said-$speaker")"
}

# stop: ends the worker as a program ends.
stop() {
    local before
    before=$(wc -l <"$work/said-$speaker")
    exec 7>&-
    wait "$worker" || true
    show "$(tail -n +$((before + 1)) "$work/said-$speaker")"
}

# ledger SPENT: compares the ledger.
ledger() {
    local found
    found=$("$program" ledger "$url")
    show "ledger: $found"
    expect "the ledger" "$found" "$1 TOKENS spent, 0 TOKENS reserved"
}

# expect WHAT FOUND EXPECTED: an expected text may be part of the found one.
expect() {
    [[ $2 == *"$3"* ]] && return
    failed=$((failed + 1))
    echo "    FAILED: $1 is not: $3"
}
said() { expect "the output" "$(cat "$work/said-$speaker")" "$1"; }

# in_flight AMOUNT: lets the worker commit while the server does not answer, kills the worker, and lets another one settle.
in_flight() {
    tell "reserve last"
    kill -STOP "$server"
    tell "commit last $1"
    said "commit last $1: queued, on disk"
    expect "the number of logs" "$(find "$journal/swift-logs" -name '*.log' | wc -l)" 1
    kill -9 "$worker"
    { wait "$worker" || true; } 2>/dev/null
    exec 7>&-
    show "The worker is killed. Another one begins."
    kill -CONT "$server"
    start "next-$journals"
    tell flush
    stop
}

begin "No descriptor is left, and no connection is open."
address=$url start files
tell "reserve a"
tell "files none"
tell "reserve b"
said "ulimit -n"
tell "commit a 5"
said "commit a 5: queued"
tell "files all"
tell flush
tell "spend 3"
stop
ledger 8

begin "No memory is left. A commit is on its way to a server that does not answer."
address=$url start memory SWIFT_BACKTRACE=enable=no
tell "reserve a"
kill -STOP "$server"
tell "commit a 5"
said "commit a 5: queued, on disk"
echo memory >&7
status=0
{ wait "$worker" || status=$?; } 2>/dev/null
exec 7>&-
show "The worker ended with status $status. Another one begins."
[ "$status" -gt 128 ] || expect "the status" "$status" "above 128"
kill -CONT "$server"
address=$url start after
tell flush
stop
ledger 5

mkdir "$work/small"
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=2m,mode=0700 tmpfs "$work/small" 2>/dev/null; then
    begin "The disk is full, and has room again."
    journal=$work/small/journal
    dd if=/dev/zero of="$work/small/filler" bs=4k 2>/dev/null || true
    address=$url start disk
    tell "spend 5"
    said "commit"
    said "event: The settlement journal has a problem"
    said "No space left on device"
    rm "$work/small/filler"
    sleep 31
    show "The disk has room for 31 seconds; a log is tried again after 30."
    tell "spend 2"
    address=$url in_flight 3
    ledger 10
else
    echo "Left out: a full disk, since no file system can be mounted here." >&2
fi

begin "Each sync of a file fails (EIO), and then works again."
touch "$work/broken"
address=$url start sync LD_PRELOAD="$work/FailingSync.so" CYCLES_FAILING_SYNC="$work/broken"
tell "spend 5"
said "event: The settlement journal has a problem"
said "Input/output error"
rm "$work/broken"
sleep 31
show "The disk works for 31 seconds."
tell "spend 2"
address=$url in_flight 3
ledger 10

begin "The name server never answers."
address=http://authority.test:${url##*:} start names LD_PRELOAD="$work/SlowResolver.so"
tell "reserve a"
said "timed out"
stop
ledger 0

begin "The process is stopped (SIGSTOP) for 4 seconds. Its lease is 2 seconds long."
address=$url start stopped
tell "reserve a 2"
kill -STOP "$worker"
sleep 4
kill -CONT "$worker"
tell "commit a 5"
said "recorded as event"
stop
ledger 5

begin "A program forks as soon as it has a client. Parent and child spend 1 token each. 20 programs do so."
# The child waits for a lock forever if a thread of the parent has it at that moment: with luck, once proves nothing.
for _ in $(seq 20); do
    show "$(timeout 120 "$program" fork "$url" "$journal" 2>&1 || echo "FAILED: status $?")"
done | awk '!seen[$0]++'
ledger 40

begin "A program closes its standard streams, and then spends 1 token."
status=0
"$program" closed "$url" "$journal" || status=$?
expect "the status" "$status" 0
ledger 1

echo
[ "$failed" -eq 0 ] && echo "No spend was lost, charged twice or left reserved." || echo "$failed expectations failed."
[ "$failed" -eq 0 ]
