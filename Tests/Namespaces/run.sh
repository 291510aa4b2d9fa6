#!/usr/bin/env bash
# Runs the tool, and the transport's tests for it, in network namespaces of their own: hosts with addresses that do not
# answer, and name servers that refuse. Needs root on Linux; elsewhere it says so and counts nothing.
# usage: run.sh [PROGRAM ...]
# Without programs: the debug build with its tests, and the static program if Scripts/build-static.sh has built it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. Scripts/lib/requirements.sh
unset ${!CYCLES_@}
PATH=$PATH:/usr/sbin:/sbin

left_out() {
    echo "Left out: $1" >&2
    echo "0 passed, 0 failed"
    exit 0
}

if [ -z "${IN_NAMESPACE-}" ]; then
    [ "$(uname -s)" = Linux ] || left_out "network namespaces are a thing of Linux"
    [ "$(id -u)" -eq 0 ] || left_out "only root can make network namespaces"
    require_command unshare util-linux
    require_command ip iproute2
    require_command dnsmasq dnsmasq-base
    require_command curl curl
    said=$(unshare --net --mount true 2>&1) || left_out "network namespaces are not permitted here: $said"
    programs=("$@")
    tests=
    if [ $# -eq 0 ]; then
        tests=yes
        programs=(.build/debug/cycles)
        for program in .build-static/cycles-*/cycles; do [ -x "$program" ] && programs+=("$program"); done
    fi
    # Everything that is changed is changed in namespaces, which end with the processes in them.
    IN_NAMESPACE=yes WITH_TESTS=$tests exec unshare --net --mount --propagation private "$0" "${programs[@]}"
fi

work=$(mktemp -d)
processes=()
finish() {
    for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    umount /etc/hosts /etc/resolv.conf 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# Files of our own in place of the system's, in this mount namespace only.
for file in hosts resolv.conf; do
    : > "$work/$file"
    mount --bind "$work/$file" "$(readlink -f "/etc/$file")"
done

# Two machines on one wire: here, and the server. The addresses are chosen so that resolvers put those first that are
# nearer to 10.99.0.1, by the rules of RFC 6724. Those with an Ethernet address of nobody never answer.
server_address=10.99.0.129
silent_addresses=(10.99.0.2 10.99.0.3)
refusing_server=10.99.0.131
closed_server=10.99.0.132
good_server=$server_address

unshare --net sleep 1000000 &
server_namespace=$!
processes+=("$server_namespace")
for _ in $(seq 100); do
    [ "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$server_namespace/ns/net")" ] && break
    sleep 0.02
done
# A command in the background is started by nsenter itself, whose process becomes that of the command and is ended as such.
server_network=--net=/proc/$server_namespace/ns/net
on_server() { nsenter "$server_network" "$@"; }

ip link set lo up
ip link add here type veth peer name there netns "$server_namespace"
ip address add 10.99.0.1/24 dev here
ip address add fd99::1/64 dev here nodad 2>/dev/null && has_ipv6=yes || has_ipv6=
ip link set here up
on_server ip link set lo up
for address in "$server_address" "$refusing_server" "$closed_server"; do
    on_server ip address add "$address/24" dev there
done
on_server ip link set there up
for address in "${silent_addresses[@]}"; do
    ip neighbour add "$address" lladdr 02:00:00:00:00:99 dev here nud permanent
done
[ -z "$has_ipv6" ] || ip -6 neighbour add fd99::2 lladdr 02:00:00:00:00:99 dev here nud permanent

# The authority, by the first program, which is as good as the others.
port=7878
nsenter "$server_network" "$1" serve --host "$server_address" --port "$port" --api-key acme=key --budget tenant:acme=1000:TOKENS \
    > "$work/serve.log" 2>&1 &
processes+=($!)
# A name server that knows the authority, and one that refuses to answer, as dnsmasq does without a server to ask.
name_server() {
    local address=$1
    shift
    nsenter "$server_network" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --listen-address="$address" \
        --bind-interfaces --port=53 --pid-file= --user=root "$@" > "$work/dnsmasq-$address.log" 2>&1 &
    processes+=($!)
}
name_server "$good_server" --address="/authority.test/$server_address"
name_server "$refusing_server"

wait_for() {
    for _ in $(seq 200); do
        (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null && return
        sleep 0.05
    done
    echo "Nothing listens on $1, port $2." >&2
    cat "$work"/*.log >&2
    exit 1
}
wait_for "$server_address" "$port"
wait_for "$good_server" 53
wait_for "$refusing_server" 53

passed=0
failed=0
verdict() {
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
        echo "ok    $2"
    else
        failed=$((failed + 1))
        echo "FAILED: $2"
        sed 's/^/        /' "$work/said"
    fi
}

# hosts ADDRESS ...: the addresses of authority.test. name_servers ADDRESS ...: those that know it.
hosts() {
    printf '%s authority.test\n' "$@" > "$work/hosts"
    : > "$work/resolv.conf"
}
name_servers() {
    : > "$work/hosts"
    printf 'nameserver %s\n' "$@" > "$work/resolv.conf"
}

# run COMMAND ...: runs the command, and leaves its status and how long it took.
run() {
    local start end
    start=$(date +%s%N)
    status=0
    timeout 30 "$@" > "$work/said" 2>&1 || status=$?
    end=$(date +%s%N)
    milliseconds=$(((end - start) / 1000000))
    echo "status $status after $milliseconds ms" >> "$work/said"
}
balances() {
    run env CYCLES_API_KEY=key CYCLES_TENANT=acme CYCLES_JOURNAL_ENABLED=false "$program" balances \
        --url "http://authority.test:$port"
}

# answers WITHIN WHAT, fails WITHIN WHAT: whether the tool gets the balances, or ends without, in time.
answers() {
    balances
    [ "$status" -eq 0 ] && grep -q tenant:acme "$work/said" && [ "$milliseconds" -lt "$1" ] && verdict 0 "$kind: $2" ||
        verdict 1 "$kind: $2"
}
fails() {
    balances
    [ "$status" -eq 69 ] && [ "$milliseconds" -lt "$1" ] && verdict 0 "$kind: $2" || verdict 1 "$kind: $2"
}

# Connecting may take 2 s. libcurl gives the first of several addresses half of that, then the next half of the rest.
for program in "$@"; do
    kind=dynamic
    ! readelf -d "$program" 2>/dev/null | grep -q 'There is no dynamic section' || kind=static
    hosts "$server_address"
    answers 1500 "a host with one address that answers is reached"
    hosts "${silent_addresses[0]}" "$server_address"
    answers 1900 "the second address is tried when the first does not answer"
    hosts "${silent_addresses[@]}" "$server_address"
    answers 2000 "the third address is tried when the first two do not answer"
    if [ -n "$has_ipv6" ]; then
        hosts fd99::2 "$server_address"
        answers 1500 "the IPv4 address is tried when the IPv6 address does not answer"
    fi
    hosts "$closed_server" "$server_address"
    answers 1500 "the second address is tried when the first refuses"
    hosts "${silent_addresses[@]}"
    fails 3000 "the time limit of the connection holds when no address answers"
    name_servers "$good_server"
    answers 1500 "a name is looked up at the name server"
    name_servers "$refusing_server" "$good_server"
    answers 1500 "a name server that refuses to answer is passed over at once"
    name_servers "$closed_server" "$good_server"
    answers 1500 "a name server that does not run is passed over at once"
    name_servers 10.98.0.1 "$good_server"
    answers 1500 "a name server that cannot be reached is passed over at once"
    name_servers "$closed_server" "$refusing_server" "$good_server"
    answers 1500 "two name servers are passed over at once"
    name_servers "$closed_server"
    fails 3000 "a name server that does not run is not waited for beyond the time limit"
    name_servers "$refusing_server"
    fails 3000 "a name that no name server knows ends within the time limit"
done

if [ -n "$WITH_TESTS" ]; then
    hosts "$server_address"
    status=0
    NAMESPACE_HOSTS=$work/hosts NAMESPACE_PORT=$port NAMESPACE_ANSWERING=$server_address \
        NAMESPACE_SILENT=${silent_addresses[0]} NAMESPACE_REFUSING=$closed_server \
        swift test --skip-build --filter NamespaceTests > "$work/said" 2>&1 || status=$?
    grep -q 'Test run with [1-9].* passed' "$work/said" || status=1
    verdict "$status" "the transport's tests in the namespace"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
