#!/usr/bin/env bash
# Records the picture of `cycles watch` that README.md shows, from a real run in a terminal.
# Installs missing requirements: libcurl's headers, tmux, python3.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command tmux tmux
require_command python3 python3

swift build --quiet --product cycles
cycles=$(swift build --product cycles --show-bin-path)/cycles
folder=$(mktemp -d)
terminal=(tmux -S "$folder/terminal" -f /dev/null)
serve=
finish() {
    "${terminal[@]}" kill-server 2>/dev/null || true
    [ -z "$serve" ] || kill "$serve" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

unset ${!CYCLES_@}
export CYCLES_API_KEY=key-of-the-picture CYCLES_TENANT=acme CYCLES_JOURNAL_ENABLED=false
"$cycles" serve --port 0 --api-key "acme=$CYCLES_API_KEY" --budget tenant:acme=1000000:TOKENS \
    --budget tenant:acme/agent:writer=400000:TOKENS --budget tenant:acme/agent:reviewer=250000:TOKENS >"$folder/serve" &
serve=$!
until grep -qs "Serving at" "$folder/serve"; do sleep 0.1; done
CYCLES_BASE_URL=$(grep -m 1 -o 'http://[0-9.:]*' "$folder/serve")
export CYCLES_BASE_URL

# spend AGENT ESTIMATE TOKENS; hold AGENT ESTIMATE
spend() {
    "$cycles" run --subject "tenant=acme,agent=$1" --estimate "$2:TOKENS" --action llm.completion/model -- \
        sh -c "echo tokens $3 >> \"\$CYCLES_USAGE_FILE\""
}
hold() { "$cycles" reserve --subject "tenant=acme,agent=$1" --estimate "$2:TOKENS" --action llm.completion/model --ttl 10m >/dev/null; }
spend writer 200000 184210
spend reviewer 100000 61750
hold writer 90000
hold reviewer 25000

"${terminal[@]}" new-session -d -x 92 -y 14 "$cycles watch"
sleep 2
"${terminal[@]}" capture-pane -e -p | sed "s|$CYCLES_BASE_URL|http://127.0.0.1:7878|" |
    python3 -c 'import sys; print(sys.stdin.read().rstrip())' | python3 Scripts/lib/terminal_svg.py \
    >Sources/Cycles/Documentation.docc/watch.svg
