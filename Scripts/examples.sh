#!/usr/bin/env bash
# Builds and runs the programs in Examples against `cycles serve`, and compares what they spent with its ledger.
# The first build of the Hummingbird server takes several minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command python3 python3
require_command curl curl

folder=$(mktemp -d)
pids=()
clean_up() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap clean_up EXIT

fail() {
    echo "error: $1" >&2
    exit 1
}

# wait_for FILE PATTERN: waits until a line of the file matches, and prints it.
wait_for() {
    local attempt
    for attempt in $(seq 300); do
        grep -m 1 "$2" "$1" 2>/dev/null && return
        sleep 0.1
    done
    cat "$1" >&2
    fail "$1 never contained $2"
}

echo "== TestingYourApp"
swift test --package-path Examples/TestingYourApp --scratch-path .build-testing

echo "== WebhookReceiver"
swift test --package-path Examples/WebhookReceiver --scratch-path .build-webhook
CYCLES_WEBHOOK_SECRET=whsec_example \
    "$(swift build --package-path Examples/WebhookReceiver --scratch-path .build-webhook --show-bin-path)/receiver" \
    >"$folder/receiver" &
pids+=($!)
receiver=$(wait_for "$folder/receiver" 'receiving at' | grep -o 'http://[0-9.:]*')
python3 Examples/WebhookReceiver/deliver.py "$receiver" whsec_example || fail "the webhook receiver answered wrongly"
[ "$(grep -c '^handled evt_1: budget.exhausted of acme$' "$folder/receiver")" = 1 ] || fail "the event was not handled once"

echo "== a budget authority"
swift build --quiet --product cycles
cycles=$(swift build --product cycles --show-bin-path)/cycles
"$cycles" serve --port 0 --api-key acme=acme-key --api-key globex=globex-key --log \
    --budget tenant:acme=1000000:TOKENS --budget tenant:globex=20:TOKENS >"$folder/serve" 2>"$folder/serve.log" &
pids+=($!)
export CYCLES_BASE_URL
CYCLES_BASE_URL=$(wait_for "$folder/serve" 'http://' | grep -o 'http://[0-9.:]*')

# ledger TENANT MEMBER: a number of the tenant's balance.
ledger() {
    CYCLES_API_KEY=$1-key "$cycles" balances --tenant "$1" --json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["balances"][0].get(sys.argv[1], {}).get("amount", 0))' "$2"
}

echo "== StaticAgent"
Scripts/build-static.sh --package Examples/StaticAgent --product agent
agent=$(find .build-static -name agent -type f -perm -u+x | head -1)
CYCLES_API_KEY=acme-key CYCLES_TENANT=acme "$agent" hello world | tee "$folder/agent"
grep -q '^olleh$' "$folder/agent" || fail "the agent did not answer"
spent=$(ledger acme spent)
[ "$spent" = 10 ] || fail "the agent was charged $spent tokens instead of 10"

echo "== HummingbirdServer"
swift build --package-path Examples/HummingbirdServer --scratch-path .build-hummingbird
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
PORT=$port TENANTS=acme=acme-key,globex=globex-key CYCLES_JOURNAL_DIR=$folder/journal \
    "$(swift build --package-path Examples/HummingbirdServer --scratch-path .build-hummingbird --show-bin-path)/Server" \
    >"$folder/server" 2>&1 &
server=$!
pids+=("$server")
wait_for "$folder/server" 'Server started and listening' >/dev/null

# A tenant without budget is refused before the head of the answer.
status=$(curl --silent --output "$folder/refusal" --write-out '%{http_code}' --data hello "http://127.0.0.1:$port/answers/globex")
[ "$status" = 402 ] || fail "a tenant without budget was answered $status"
cat "$folder/refusal"

time python3 Examples/HummingbirdServer/load.py "$port" acme 1000 300 | tee "$folder/load"
grep -q 'complete=700 left early=300' "$folder/load" || fail "the answers do not add up"
curl --silent "http://127.0.0.1:$port/metrics"

kill -TERM "$server"
wait "$server" || fail "the server ended with status $?"
settled=$(sed -n 's/^settled \([0-9]*\) tokens$/\1/p' "$folder/server")
complete=$(sed -n 's/.*tokens=\([0-9]*\)/\1/p' "$folder/load")
spent=$(($(ledger acme spent) - 10))
reserved=$(ledger acme reserved)
echo "complete answers named $complete tokens; the server settled $settled; the ledger has $spent spent, $reserved reserved"
[ "$reserved" = 0 ] || fail "$reserved tokens are still reserved"
[ "$spent" = "$settled" ] || fail "the ledger does not match the server's settlements"
[ "$spent" -gt "$complete" ] || fail "answers that were left early were not charged"
grep -q '0000000000000000000000000000000a' "$folder/serve.log" || fail "the caller's trace did not reach the authority"
