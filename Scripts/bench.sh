#!/usr/bin/env bash
# Compares this client with two C loops on libcurl, and measures the coding of JSON; Benchmarks/README.md explains the
# figures. Installs missing requirements: libcurl's headers, nginx to answer, valgrind to count instructions.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

usage() {
    cat <<'END'
usage: Scripts/bench.sh [--rounds COUNT] [--lifecycles COUNT]
       Scripts/bench.sh --journal
       Scripts/bench.sh --leases
       Scripts/bench.sh --instructions

  --rounds COUNT      run all programs this many times at each concurrency (7)
  --lifecycles COUNT  measure this many lifecycles in each run (6000)
  --journal           measure only the cost of the journal
  --leases            measure only guards that are held at once
  --instructions      count instructions with valgrind instead of measuring time; the counts hardly vary between
                      runs
END
}

# require_number OPTION VALUE
require_number() {
    [[ ${2:-} =~ ^[1-9][0-9]{0,8}$ ]] && return
    echo "$1 needs a whole number of 1 or more." >&2
    exit 2
}

mode=time
rounds=7
lifecycles=6000
while [ $# -gt 0 ]; do
    case $1 in
        --rounds) require_number "$@" && rounds=$2 && shift ;;
        --lifecycles) require_number "$@" && lifecycles=$2 && shift ;;
        --journal) mode=journal ;;
        --leases) mode=leases ;;
        --instructions) mode=instructions ;;
        --help | -h) usage && exit ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command nginx nginx-light
[ "$mode" != instructions ] || { require_command valgrind valgrind && require_command strip binutils; }
PATH=$PATH:/usr/sbin:/sbin

# The programs run on the first core and the responder on the last, so that they do not compete.
on_client_core=
on_server_core=
if command -v taskset >/dev/null 2>&1 && [ "$(nproc)" -gt 1 ]; then
    on_client_core="taskset -c 0"
    on_server_core="taskset -c $(($(nproc) - 1))"
else
    echo "With one core, or without taskset, the responder competes with the programs: expect more noise." >&2
fi

echo "== build" >&2
swift build -c release --package-path Benchmarks --scratch-path Benchmarks/.build >&2
programs=Benchmarks/.build/release
reserve_answer=$(<Benchmarks/Answers/reserve.json)
# The responder gives each reservation its own id, as servers do.
fresh_reserve_answer=${reserve_answer/rsv_a1b2c3d4/rsv_\$request_id}
commit_answer=$(<Benchmarks/Answers/commit.json)

# The responder has its own directory, and ends with this script.
work=$(mktemp -d)
responder=
authority=
clean_up() {
    local process
    for process in $responder $authority; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# status: prints the responder's statistics of connections. The request takes a connection itself.
status() {
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET /status HTTP/1.0\r\n\r\n' >&3
    cat <&3
}

is_answering() { (status) >/dev/null 2>&1; }

# accepted_connections: prints the number of accepted connections so far.
accepted_connections() { (status) | awk '/server accepts/ { getline; print $1 }'; }

start_responder() {
    local attempt
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 10000))
        # The port is in use: try another.
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
        location = /v1/reservations { return 200 '$fresh_reserve_answer'; }
        location /v1/reservations/ { return 200 '$commit_answer'; }
        location = /status { stub_status; }
    }
}
END
        $on_server_core nginx -e "$work/error.log" -c "$work/nginx.conf" &
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

# The compared programs; the first is the base of all ratios.
subjects=(tuned plain calls guard executor blocking)
declare -A titles=(
    [tuned]="tuned C loop" [plain]="plain C loop" [calls]="low-level calls" [guard]="guard" [executor]="guard, executor"
    [blocking]="blocking guard"
)
declare -A program_of=([tuned]=TunedLoop [plain]=RawLoop [calls]=ClientLoop [guard]=GuardLoop
    [executor]=GuardLoop [blocking]=GuardLoop)
declare -A arguments_of=([guard]=tasks [executor]=executor [blocking]=threads)

# run SUBJECT CONCURRENCY LIFECYCLES WARM-UP [COMMAND…]: runs a program, under COMMAND if given, and sets $figure to the CPU
# microseconds of a lifecycle, and $elapsed to its elapsed microseconds. Fails if connections are not kept open.
run() {
    local subject=$1 concurrency=$2 measured=$3 warm_up=$4 program=${program_of[$1]} before opened
    shift 4
    before=$(accepted_connections)
    # The arguments are unquoted, because there may be none.
    # shellcheck disable=SC2086
    if ! timeout --foreground 300 $on_client_core "$@" "$programs/$program" "http://127.0.0.1:$port" \
        "$concurrency" "$measured" "$warm_up" ${arguments_of[$subject]:-} >"$work/figures"; then
        echo "$program failed at concurrency $concurrency, or did not end within five minutes." >&2
        exit 1
    fi
    opened=$(($(accepted_connections) - before - 1))
    # libcurl's pool opens a few more connections than the concurrency.
    if [ "$opened" -gt $((2 * concurrency)) ]; then
        echo "$program opened $opened connections at concurrency $concurrency: they are not kept open." >&2
        exit 1
    fi
    read -r figure elapsed <"$work/figures"
}

# column NUMBER FILE: prints a column, sorted. median NUMBER FILE: prints its median.
column() { awk -v number="$1" '{ print $number }' "$2" | sort -n; }
median() { column "$@" | awk '{ value[NR] = $1 } END { print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'; }

# target SUBJECT CONCURRENCY: prints the target of the ratio, if there is one.
target() {
    case $1-$2 in
        guard-1 | calls-1) echo "≤ 1.60" ;;
        executor-1) echo "≤ 1.30" ;;
        guard-* | executor-* | calls-*) echo "≤ 1.35" ;;
        blocking-1) echo "≤ 1.35" ;;
    esac
}

measure_time() {
    local concurrency round subject index row
    echo "CPU for a lifecycle (reserve and commit over loopback), user and system, medians of $rounds rounds"
    echo
    echo "concurrency   program              CPU   ratio   lowest–highest   target"
    for concurrency in 1 16 64; do
        : >"$work/rounds"
        for ((round = 0; round < rounds; round++)); do
            row=
            for subject in "${subjects[@]}"; do
                run "$subject" "$concurrency" "$lifecycles" $((lifecycles / 5))
                row+="$figure "
            done
            # Each figure, and its ratio to the base of the same round.
            awk '{ for (i = 1; i <= NF; i++) printf "%s %s ", $i, $i / $1; print "" }' <<<"$row" >>"$work/rounds"
        done
        index=1
        for subject in "${subjects[@]}"; do
            printf '%11d   %-15s %5.1f µs   %5.2f      %5.2f–%-5.2f   %s\n' "$concurrency" "${titles[$subject]}" \
                "$(median "$index" "$work/rounds")" "$(median $((index + 1)) "$work/rounds")" \
                "$(column $((index + 1)) "$work/rounds" | head -n 1)" \
                "$(column $((index + 1)) "$work/rounds" | tail -n 1)" "$(target "$subject" "$concurrency")"
            index=$((index + 2))
        done
    done
    echo
    echo "Compare the ratio: microseconds depend on the machine, the ratio hardly does."
    echo
    echo "JSON, CPU for one operation, medians of 15 batches"
    echo
    $on_client_core "$programs/JSONTiming" "$reserve_answer" "$commit_answer"
}

# Starts an authority, and sets $url to its URL. It ends when its standard input ends: when descriptor 4 is closed.
start_authority() {
    rm -f "$work/input" "$work/authority"
    mkfifo "$work/input"
    $on_server_core "$programs/LeaseServer" <"$work/input" >"$work/authority" &
    authority=$!
    exec 4>"$work/input"
    until [ -s "$work/authority" ]; do
        kill -0 "$authority" 2>/dev/null || { echo "The authority did not start." >&2 && exit 1; }
        sleep 0.1
    done
    read -r url <"$work/authority"
}

stop_authority() {
    exec 4>&-
    wait "$authority"
    authority=
}

# Measures lifecycles of guards, alternately without and with a journal.
measure_journal() {
    local concurrency round row
    echo
    echo "A lifecycle of a guard without a journal and with one, medians of 5 rounds"
    echo
    echo "concurrency    CPU without       with   ratio    elapsed without       with"
    for concurrency in 1 16 64; do
        : >"$work/rounds"
        for ((round = 0; round < 5; round++)); do
            arguments_of[guard]=tasks
            run guard "$concurrency" 2000 400
            row="$figure $elapsed"
            arguments_of[guard]="tasks $work/journal"
            run guard "$concurrency" 2000 400
            arguments_of[guard]=tasks
            awk '{ print $0, $3 / $1 }' <<<"$row $figure $elapsed" >>"$work/rounds"
        done
        printf '%11d    %8.1f µs  %6.1f µs   %5.2f    %12.1f µs  %6.1f µs\n' "$concurrency" \
            "$(median 1 "$work/rounds")" "$(median 3 "$work/rounds")" "$(median 5 "$work/rounds")" \
            "$(median 2 "$work/rounds")" "$(median 4 "$work/rounds")"
    done
    echo
    echo "Targets: a ratio of at most 1.50 at 16 and 64."
    measure_slow_syncs
}

# Journaled lifecycles a second where each sync takes 5 ms.
measure_slow_syncs() {
    local concurrency round compiler
    compiler=$(command -v cc || command -v clang) || { echo "Skipped: slow syncs, which need a C compiler." >&2 && return; }
    "$compiler" -O2 -shared -fPIC -o "$work/slow_sync.so" Benchmarks/SlowSync/slow_sync.c
    echo
    echo "Journaled lifecycles of a guard where each sync takes 5 ms, medians of 3 rounds"
    echo
    echo "concurrency    lifecycles a second"
    for concurrency in 1 16 64; do
        : >"$work/rounds"
        for ((round = 0; round < 3; round++)); do
            arguments_of[guard]="tasks $work/journal"
            run guard "$concurrency" $((100 * concurrency)) "$concurrency" env LD_PRELOAD="$work/slow_sync.so"
            arguments_of[guard]=tasks
            awk -v elapsed="$elapsed" 'BEGIN { print 1000000 / elapsed }' >>"$work/rounds"
        done
        printf '%11d    %19.0f%s\n' "$concurrency" "$(median 1 "$work/rounds")" \
            "$([ "$concurrency" != 64 ] || echo "   (target: ≥ 5000)")"
    done
}

# The guards use the first core and the authority the last.
measure_leases() {
    local guards=10000 creation=20 holding=75 figures lateness
    echo
    echo "$guards guards held at once, created over $creation s and kept for $holding s more (time to live: 60 s)"
    echo
    start_authority
    if ! figures=$(timeout --foreground 600 $on_client_core "$programs/HeldGuards" "$url" "$guards" "$creation" \
        "$holding" 4>&-); then
        echo "HeldGuards failed." >&2
        exit 1
    fi
    stop_authority
    lateness=$(tail -n 1 "$work/authority")
    awk -v figures="$figures" -v lateness="$lateness" 'BEGIN {
        split(figures, figure, " ")
        split(lateness, late, " ")
        printf "%7d B   resident for a guard once all are held, in addition to its answer of %d bytes   (target: ≤ 1024 B)\n", figure[1], figure[3]
        printf "%7d B   the same once they have been extended\n", figure[2]
        printf "%7d     threads of the process\n", figure[4]
        printf "%7.3f ms  CPU for a guard: reserving, extending, keeping\n", figure[5]
        printf "%7d     extensions, the latest %.1f ms after its time, all but 0.1 %% within %.1f ms   (target: ≤ 100 ms)\n", late[1], late[2], late[3]
    }'
}

# count_instructions SUBJECT CONCURRENCY: sets $instructions to the number for a lifecycle: the difference between a long
# and a short run, which excludes the start of the program. Keeps the profile of the long run.
count_instructions() {
    local length totals=() profile="$profiles/$1-$2.callgrind"
    for length in 200 1200; do
        run "$1" "$2" "$length" 0 valgrind --quiet --tool=callgrind --callgrind-out-file="$profile"
        totals+=("$(awk '/^(summary|totals):/ { total = $2 } END { print total }' "$profile")")
    done
    instructions=$(((totals[1] - totals[0]) / 1000))
}

measure_instructions() {
    local subject concurrency floor
    profiles=$PWD/Benchmarks/.build/profiles
    mkdir -p "$profiles"
    # Not every valgrind supports the debugging information of Swift's compiler; the names of functions suffice.
    for subject in "${subjects[@]}"; do
        strip --strip-debug -o "$work/${program_of[$subject]}" "$programs/${program_of[$subject]}"
    done
    programs=$work
    echo "Instructions for a lifecycle (reserve and commit over loopback), outside the kernel"
    echo
    echo "concurrency   program           instructions   ratio"
    for concurrency in 1 16; do
        floor=
        for subject in "${subjects[@]}"; do
            count_instructions "$subject" "$concurrency"
            floor=${floor:-$instructions}
            printf '%11d   %-15s   %12d   %5.2f\n' "$concurrency" "${titles[$subject]}" "$instructions" \
                "$(awk -v floor="$floor" -v count="$instructions" 'BEGIN { print count / floor }')"
        done
    done
    echo
    echo "To list the functions with the most instructions: callgrind_annotate $profiles/guard-16.callgrind"
}

case $mode in time | instructions | journal) start_responder ;; esac
"measure_$mode"
[ "$mode" != time ] || { measure_journal && measure_leases; }
