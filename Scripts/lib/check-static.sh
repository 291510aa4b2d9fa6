#!/usr/bin/env bash
# Tests the static tool in a directory tree without other files: HTTPS, certificates, their paths, and name resolution.
# usage: check-static.sh PROGRAM
set -euo pipefail
program=$(readlink -f "$1")
cd "$(dirname "$0")/../.."
. Scripts/lib/requirements.sh

if [ "$(id -u)" -ne 0 ]; then
    echo "Skipped: HTTPS in a directory tree without other files, which needs root." >&2
    exit 0
fi
require_command nginx nginx-light
require_command openssl openssl
require_command dnsmasq dnsmasq-base
PATH=$PATH:/usr/sbin:/sbin

chroot=$(command -v chroot)
work=$(mktemp -d)
processes=()
finish() {
    for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    umount "$work/tree/proc" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap finish EXIT
echo "== HTTPS in a directory tree without other files" >&2

# free_port: prints a port on which no server listens.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# wait_for PORT: waits until a server listens.
wait_for() {
    for _ in $(seq 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.05
    done
    echo "Nothing listens on port $1." >&2
    exit 1
}

# authority NAME: creates a certificate authority. certificate AUTHORITY NAME HOST: creates a certificate.
authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -addext basicConstraints=critical,CA:TRUE \
        -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}
certificate() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$3" -keyout "$work/$2.key" -out "$work/$2.csr" 2>/dev/null
    printf 'subjectAltName=DNS:%s\n' "$3" > "$work/$2.ext"
    openssl x509 -req -in "$work/$2.csr" -CA "$work/$1.pem" -CAkey "$work/$1.key" -CAcreateserial -days 2 \
        -extfile "$work/$2.ext" -out "$work/$2.pem" 2>/dev/null
}

upstream=$(free_port)
"$program" serve --port "$upstream" --api-key acme=key --budget tenant:acme=1000:TOKENS > "$work/serve.log" 2>&1 &
processes+=($!)
wait_for "$upstream"

authority trusted
authority other
certificate trusted good authority.test
certificate trusted elsewhere somewhere-else.test
certificate other foreign authority.test
{
    echo "daemon off; pid $work/nginx.pid; error_log $work/nginx.log; events {} http { access_log off;"
    for path in client_body proxy fastcgi uwsgi scgi; do echo "${path}_temp_path $work/$path;"; done
    for name in good elsewhere foreign; do
        port=$(free_port)
        echo "$port" > "$work/$name.port"
        echo "server { listen 127.0.0.1:$port ssl; ssl_certificate $work/$name.pem; ssl_certificate_key $work/$name.key;"
        echo "location / { proxy_pass http://127.0.0.1:$upstream; } }"
    done
    echo "}"
} > "$work/nginx.conf"
nginx -p "$work" -c "$work/nginx.conf" -e "$work/nginx.log" &
processes+=($!)
wait_for "$(cat "$work/good.port")"

# The tree has no shared library and no name service switch.
tree=$work/tree
mkdir -p "$tree/etc" "$tree/tmp"
cp "$program" "$tree/cycles"
# Swift's runtime reads its path and arguments from /proc.
mkdir "$tree/proc"
if ! mount --bind /proc "$tree/proc" 2> "$work/mount.log"; then
    echo "Skipped: HTTPS in a directory tree without other files: $(cat "$work/mount.log")" >&2
    exit 0
fi
echo "127.0.0.1 authority.test" > "$tree/etc/hosts"

# balances SERVER [HOST] [OPTION ...]: runs the tool, with its output in $work/said.
balances() {
    local port host=${2:-authority.test}
    port=$(cat "$work/$1.port")
    shift $(($# > 1 ? 2 : 1))
    env -i CYCLES_API_KEY=key CYCLES_TENANT=acme "$chroot" "$tree" /cycles balances --url "https://$host:$port" "$@" \
        > "$work/said" 2>&1
}
works() {
    local what=$1
    shift
    if ! balances "$@" || ! grep -q 'tenant:acme' "$work/said"; then
        echo "FAILED: $what" >&2
        cat "$work/said" "$work/nginx.log" >&2
        exit 1
    fi
    echo "ok    $what"
}
refused() {
    local what=$1 status=0
    shift
    balances "$@" || status=$?
    if [ "$status" -ne 69 ] || ! grep -qi 'certificate' "$work/said"; then
        echo "FAILED: $what (status $status)" >&2
        cat "$work/said" >&2
        exit 1
    fi
    echo "ok    $what"
}

refused "without any authority the certificate is refused" good
cp "$work/trusted.pem" "$tree/authority.pem"
works "an authority that is named with --ca is trusted" good authority.test --ca /authority.pem
refused "a certificate of another authority is refused" foreign authority.test --ca /authority.pem
refused "a certificate for another host is refused" elsewhere authority.test --ca /authority.pem
for place in etc/ssl/certs/ca-certificates.crt etc/pki/tls/certs/ca-bundle.crt etc/ssl/cert.pem; do
    mkdir -p "$tree/$(dirname "$place")"
    cp "$work/trusted.pem" "$tree/$place"
    works "authorities are found in /$place" good
    rm -r "$tree/etc/ssl" "$tree/etc/pki" 2>/dev/null || true
done

# A name server, for names without an entry in /etc/hosts.
dnsmasq --keep-in-foreground --no-resolv --no-hosts --listen-address=127.0.0.9 --bind-interfaces --port=53 \
    --address=/authority.test/127.0.0.1 --pid-file="$work/dnsmasq.pid" --user=root > "$work/dnsmasq.log" 2>&1 &
processes+=($!)
rm "$tree/etc/hosts"
echo "nameserver 127.0.0.9" > "$tree/etc/resolv.conf"
for _ in $(seq 40); do
    balances good authority.test --ca /authority.pem && break
    sleep 0.05
done
works "names are resolved by the name server" good authority.test --ca /authority.pem
