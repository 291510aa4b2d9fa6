#!/usr/bin/env bash
# Runs the tool in PID namespaces of their own, as containers do that share a journal's directory: each process has the
# number 1. Needs root on Linux; elsewhere it says so and counts nothing.
# usage: journal.sh [PROGRAM]
# Without a program: the debug build.
set -euo pipefail
cd "$(dirname "$0")/../.."
. Scripts/lib/requirements.sh
unset ${!CYCLES_@}

left_out() {
    echo "Left out: $1" >&2
    echo "0 passed, 0 failed"
    exit 0
}

[ "$(uname -s)" = Linux ] || left_out "PID namespaces are a thing of Linux"
[ "$(id -u)" -eq 0 ] || left_out "only root can make PID namespaces"
require_command unshare util-linux
said=$(unshare --pid --fork --mount-proc true 2>&1) || left_out "PID namespaces are not permitted here: $said"
program=$(realpath "${1:-.build/debug/cycles}")

work=$(mktemp -d)
processes=()
finish() {
    for process in "${processes[@]}"; do kill -9 "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# container COMMAND ...: becomes a command with the number 1 in a namespace that ends with it.
container() { exec unshare --pid --fork --kill-child --mount-proc "$@"; }

"$program" serve --port 0 --api-key acme=key --budget tenant:acme=100000:TOKENS > "$work/serve.log" 2>&1 &
server=$!
processes+=("$server")
for _ in $(seq 200); do
    url=$(sed -n 's/^Serving at \(http[^ ;]*\).*/\1/p' "$work/serve.log")
    [ -n "$url" ] && break
    sleep 0.05
done
export CYCLES_BASE_URL=$url CYCLES_API_KEY=key CYCLES_TENANT=acme CYCLES_JOURNAL_DIR=$work/journal HOME=$work

passed=0
failed=0
check() {
    if eval "$1"; then
        passed=$((passed + 1))
        echo "ok    $2"
    else
        failed=$((failed + 1))
        echo "FAILED: $2"
        find "$work/journal" -type f | sed 's/^/        /'
        tail -n 20 "$work"/*.said 2>/dev/null | sed 's/^/        /'
    fi
}

wait_until() {
    local _
    for _ in $(seq 600); do
        eval "$1" && return
        sleep 0.05
    done
    echo "In vain: waited for $1" >&2
    exit 1
}

logs() { find "$work/journal/swift-logs" -name '*.log' 2>/dev/null | wc -l; }
records() { find "$work/journal" -name '*.json' 2>/dev/null | wc -l; }
others() { find "$work/journal" -type f ! -name '*.log' ! -name '*.json' ! -name '.*' 2>/dev/null | wc -l; }
spent() { CYCLES_JOURNAL_ENABLED=false "$program" balances | awk 'END { print $3 }'; }

# start_owner NAME: starts a container whose settlement of 5 tokens is in its log, while the server does not answer.
start_owner() {
    (container "$program" run --estimate 100:TOKENS --action a.b/c --settle-timeout 60s -- sh -c \
        "echo tokens 5 >> \$CYCLES_USAGE_FILE; touch $work/$1.ready; while [ ! -e $work/$1.go ]; do sleep 0.02; done") \
        > "$work/$1.said" 2>&1 &
    owner=$!
    processes+=("$owner")
    wait_until "[ -e $work/$1.ready ]"
    kill -STOP "$server"
    touch "$work/$1.go"
    wait_until '[ "$(logs)" = 1 ]'
}

# takers COUNT: runs takers at the same time, each in a container.
takers() {
    local number running=()
    for number in $(seq "$1"); do
        (container "$program" journal flush --timeout 5s) > "$work/taker-$number.said" 2>&1 &
        running+=($!)
    done
    wait "${running[@]}" || true
}

start_owner first
takers 4
check '[ "$(logs) $(records)" = "1 0" ]' "nobody takes over the log of a process that runs in another namespace"
(container "$program" journal list) > "$work/list.said" 2>&1
check 'grep -q "Running processes have logs" "$work/list.said"' "its log is listed as in use"
kill -CONT "$server"
status=0
wait "$owner" || status=$?
check '[ "$status $(spent)" = "0 5" ]' "it settles its reservation itself"
check '[ "$(logs) $(records) $(others)" = "0 0 0" ]' "it leaves nothing"

start_owner second
kill -9 "$owner"
wait "$owner" 2>/dev/null || true
(container "$program" journal list) > "$work/list.said" 2>&1
check 'grep -q "(own)  pending" "$work/list.said" && ! grep -q "Running processes" "$work/list.said"' \
    "the record of a killed process is listed, though its number was that of the one who lists"
takers 8
check '[ "$(logs) $(records) $(others)" = "0 1 0" ]' "one of eight takers makes a record file of it"
check '! grep -l "cannot" "$work"/taker-*.said' "the other takers report nothing"
kill -CONT "$server"
"$program" journal flush > "$work/flush.said" 2>&1 || true
check '[ "$(spent) $(records)" = "10 0" ]' "it is charged once"

# Owners that begin and end while takers come and go.
touch "$work/busy"
for number in 1 2 3; do
    (while [ -e "$work/busy" ]; do
        (container "$program" journal flush --timeout 0s) > "$work/taker-$number.said" 2>&1 || true
        ! grep -q "cannot\|corrupt\|rejected: " "$work/taker-$number.said" || cp "$work/taker-$number.said" "$work/complaint.said"
    done) &
    processes+=($!)
    busy[number]=$!
done
owners=()
for number in 1 2 3 4; do
    (
        for round in 1 2 3 4 5 6; do
            (container "$program" run --estimate 100:TOKENS --action a.b/c -- sh -c 'echo tokens 5 >> $CYCLES_USAGE_FILE') \
                > "$work/owner-$number-$round.said" 2>&1 || exit 1
        done
    ) &
    processes+=($!)
    owners+=($!)
done
status=0
for owner in "${owners[@]}"; do wait "$owner" || status=1; done
rm "$work/busy"
wait "${busy[@]}"
"$program" journal flush > "$work/flush.said" 2>&1 || true
check '[ "$status $(spent)" = "0 130" ]' "24 owners, among takers, are charged once each"
check '[ -z "$(cat "$work"/owner-*.said)" ]' "no owner reports anything"
check '[ ! -e "$work/complaint.said" ]' "no taker reports anything"
check '[ "$(logs) $(records) $(others)" = "0 0 0" ]' "they leave nothing"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
