#!/usr/bin/env bash
# Runs `cycles run` many times at once on one journal, while the server is well and while it refuses settlements, and
# checks that each spend is charged once, by how many attempts, and how much the runs say about it.
# usage: run.sh [PROGRAM [RUNS [WIDTH [SECONDS]]]]
# By default: the static program if Scripts/build-static.sh has built it, otherwise the debug build; 200 runs, 16 at a
# time, and an outage of 60 seconds. Installs a missing requirement: nginx, which stands before the server and counts.
set -euo pipefail
cd "$(dirname "$0")/../.."
. Scripts/lib/requirements.sh
unset ${!CYCLES_@}
PATH=$PATH:/usr/sbin:/sbin
require_command nginx nginx-light
require_command python3 python3-minimal

program=${1-}
if [ -z "$program" ]; then
    for program in .build-static/cycles-*/cycles .build/debug/cycles; do [ -x "$program" ] && break; done
fi
[ -x "$program" ] || {
    echo "$program is no program; run swift build first" >&2
    exit 1
}
program=$(realpath "$program")
runs=${2:-200} width=${3:-16} outage=${4:-60}
# The most attempts of one settlement, and the most lines that one run writes to standard error.
limit=9

work=$(mktemp -d)
# nginx serves as another user if it is started by root.
chmod go+rx "$work"
processes=()
finish() {
    for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

fail() {
    echo "FAILED: $1" >&2
    exit 1
}

# until_true COMMAND ...: waits up to 10 seconds.
until_true() {
    for _ in $(seq 100); do
        "$@" && return
        sleep 0.1
    done
    fail "timed out: $*"
}

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$program" serve --port 0 --api-key acme=key-of-the-test --budget "tenant:acme=1000000000:TOKENS" \
    >"$work/serve.out" 2>"$work/serve.err" &
processes+=("$!")
until_true grep -q "Serving at" "$work/serve.out"
server=$(grep -o 'http://[0-9.]*:[0-9]*' "$work/serve.out" | head -n 1)

cat >"$work/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $work/nginx.pid;
events { worker_connections 1024; }
http {
    log_format attempt '\$status \$uri';
    access_log off;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server {
        listen 127.0.0.1:$port backlog=1024;
        location / { proxy_pass $server; }
        location ~ ^/v1/(reservations/[^/]+/commit|events)\$ {
            access_log $work/attempts attempt;
            if (-f $work/outage) { return 503; }
            proxy_pass $server;
        }
    }
}
END
nginx -e "$work/nginx.err" -c "$work/nginx.conf" &
processes+=("$!")
until_true test -s "$work/nginx.pid"

export CYCLES_BASE_URL=http://127.0.0.1:$port CYCLES_API_KEY=key-of-the-test CYCLES_TENANT=acme
export CYCLES_JOURNAL_DIR=$work/journal PROGRAM=$program

# run_all FOLDER: what each run writes to standard error is in a file there.
run_all() {
    export ERRORS=$1
    mkdir "$ERRORS"
    : >"$work/attempts"
    seq "$runs" | xargs -P "$width" -I '{}' sh -c \
        '"$PROGRAM" run --estimate 100:TOKENS --action llm.completion/m --ttl 20m -- \
            /bin/sh -c "echo tokens 7 >> \$CYCLES_USAGE_FILE" 2>"$ERRORS/{}" || echo "status $?" >>"$ERRORS/{}"'
}

spent() { "$program" balances --json | python3 -c 'import json, sys
document = json.load(sys.stdin)
balances = document if isinstance(document, list) else document.get("balances", [])
print(sum((balance.get("spent") or {}).get("amount", 0) for balance in balances))'; }

# most FILE: the largest number of equal lines of a file.
most() { sort "$1" | uniq -c | awk '$1 > most { most = $1 } END { print most + 0 }'; }

echo "== $runs runs, $width at a time, the server well"
start=$(date +%s)
run_all "$work/well"
cut -d ' ' -f 2 "$work/attempts" >"$work/paths"
lines=$(cat "$work"/well/* | wc -l)
echo "$(wc -l <"$work/paths") commits of $(sort -u "$work/paths" | wc -l) reservations in $(($(date +%s) - start)) s;" \
    "at most $(most "$work/paths") each; $lines lines on standard error"
[ "$(wc -l <"$work/paths")" -eq "$runs" ] && [ "$(most "$work/paths")" -eq 1 ] || fail "a commit was sent more than once"
[ "$lines" -eq 0 ] || fail "the runs said something: $(cat "$work"/well/* | head -n 5)"
[ "$(spent)" -eq $((7 * runs)) ] || fail "$(spent) TOKENS are spent instead of $((7 * runs))"

echo "== $runs runs, $width at a time, no settlement for $outage seconds"
touch "$work/outage"
(sleep "$outage" && rm "$work/outage") &
start=$(date +%s)
run_all "$work/refused"
wait "$!"
# The attempts of the runs; the flush below makes one more, as it is told to.
cut -d ' ' -f 2 "$work/attempts" >"$work/paths"
"$program" journal flush --timeout 60s >"$work/flush" || fail "$(cat "$work/flush")"
wc -l "$work"/refused/* | awk '$2 != "total" { print $1 }' >"$work/lines"
echo "$(wc -l <"$work/paths") attempts for $(sort -u "$work/paths" | wc -l) reservations in $(($(date +%s) - start)) s;" \
    "at most $(most "$work/paths") each; $(cat "$work"/refused/* | wc -l) lines on standard error," \
    "at most $(sort -n "$work/lines" | tail -n 1) by one run"
[ "$(most "$work/paths")" -le "$limit" ] || fail "a settlement was attempted more than $limit times"
[ "$(sort -n "$work/lines" | tail -n 1)" -le "$limit" ] || fail "a run wrote more than $limit lines"
if cat "$work"/refused/* | grep -i "no such file"; then fail "a file of another process was missed"; fi
[ "$(spent)" -eq $((14 * runs)) ] || fail "$(spent) TOKENS are spent instead of $((14 * runs))"
[ -z "$(find "$work/journal" -name '*.json*' -o -name '*.log')" ] || fail "the journal is not empty"
