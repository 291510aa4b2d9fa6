#!/usr/bin/env bash
# Measures this client beside a plain C loop on libcurl, and the coding of JSON. Benchmarks/README.md says how to read it.
# Installs what is missing: libcurl's headers to build, nginx to answer, valgrind to count instructions.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

usage() {
    cat <<'END'
usage: Scripts/bench.sh [--instructions] [--rounds COUNT] [--lifecycles COUNT]

  --instructions      count instructions with valgrind instead of measuring time: slower, but the same on every run
  --rounds COUNT      how often each program is run at each concurrency (7)
  --lifecycles COUNT  how many lifecycles each run measures (6000)
END
}

# positive_number OPTION VALUE
positive_number() {
    if ! [[ ${2:-} =~ ^[1-9][0-9]*$ ]]; then
        echo "$1 needs a whole number of 1 or more." >&2
        exit 2
    fi
    echo "$2"
}

mode=time
rounds=7
lifecycles=6000
while [ $# -gt 0 ]; do
    case $1 in
        --instructions) mode=instructions ;;
        --rounds) rounds=$(positive_number "$@"); shift ;;
        --lifecycles) lifecycles=$(positive_number "$@"); shift ;;
        --help | -h) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command nginx nginx-light
[ "$mode" = time ] || require_command valgrind valgrind
PATH=$PATH:/usr/sbin:/sbin

# The programs run on the first core and the responder on the last, so that they do not take each other's time.
on_client_core=()
on_server_core=()
if command -v taskset >/dev/null 2>&1 && [ "$(nproc)" -gt 1 ]; then
    on_client_core=(taskset -c 0)
    on_server_core=(taskset -c "$(($(nproc) - 1))")
else
    echo "There is one core only, or no taskset: the responder runs beside the programs, expect more noise." >&2
fi

echo "== build" >&2
swift build -c release --package-path Benchmarks --scratch-path Benchmarks/.build >&2
programs=Benchmarks/.build/release

# The responder: fixed answers, connections kept open. It lives in a directory of its own and ends with this script.
work=$(mktemp -d)
responder=
clean_up() {
    if [ -n "$responder" ]; then
        kill "$responder" 2>/dev/null || true
        wait "$responder" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# get PATH: the answer to a GET, on standard output.
get() {
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
    cat <&3
    exec 3>&-
}

is_answering() { (get /status) >/dev/null 2>&1; }

start_responder() {
    local attempt
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 10000))
        # Something answers there already: another port.
        if is_answering; then continue; fi
        cat >"$work/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/error.log;
events { worker_connections 1024; }
http {
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path $work/client_body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server {
        listen 127.0.0.1:$port;
        location = /v1/reservations { return 200 '$(cat Benchmarks/Answers/reserve.json)'; }
        location /v1/reservations/ { return 200 '$(cat Benchmarks/Answers/commit.json)'; }
        location = /status { stub_status; }
    }
}
END
        "${on_server_core[@]}" nginx -e "$work/error.log" -c "$work/nginx.conf" &
        responder=$!
        while kill -0 "$responder" 2>/dev/null; do
            if is_answering; then return; fi
            sleep 0.1
        done
        responder=
    done
    echo "nginx did not start:" >&2
    cat "$work/error.log" >&2
    exit 1
}
start_responder

# accepted_connections: how many the responder has accepted so far.
accepted_connections() { get /status | awk '/server accepts/ { getline; print $1 }'; }

# run PROGRAM CONCURRENCY: prints its CPU and elapsed microseconds for each lifecycle.
# Connections that are not kept open would measure something else: that ends the script.
run() {
    local before after
    before=$(accepted_connections)
    "${on_client_core[@]}" "$programs/$1" "http://127.0.0.1:$port" "$2" "$lifecycles" $((lifecycles / 5))
    after=$(accepted_connections)
    # Asking takes a connection itself.
    if [ $((after - before - 1)) -gt "$2" ]; then
        echo "$1 opened $((after - before - 1)) connections at concurrency $2: they are not kept open." >&2
        exit 1
    fi
}

for concurrency in 1 16 64; do
    for ((round = 0; round < rounds; round++)); do
        echo "raw $concurrency $(run RawLoop "$concurrency")"
    done
done
