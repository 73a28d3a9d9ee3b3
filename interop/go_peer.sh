#!/usr/bin/env bash
# Starts p2pd (go-libp2p v0.32.1), or another daemon with its flags and control protocol, as a peer and stays in the
# foreground until it is stopped or its time is up.
# Prints one JSON line when it is up: {"event":"ready","peer_id":...,"addrs":[...],"control":"/path/of/socket","pid":...}
# Usage: go_peer.sh PEERS_DIR [options] [-- more p2pd flags]
set -euo pipefail

usage() { cat >&2 <<'U'
usage: go_peer.sh PEERS_DIR [options] [-- p2pd flags]
  --binary PATH      the daemon to start (default PEERS_DIR/bin/p2pd)
  --port N           TCP port (default 0: any free one)
  --ip A             address to listen on (default 127.0.0.1)
  --udp              listen on QUIC too, same port number
  --security S       noise, tls or both (default both)
  --relay            offer the circuit relay v2 hop service
  --autorelay ADDR   behave as a peer behind a NAT: reserve a slot at the relay ADDR (/ip4/../p2p/ID), offer DCUtR
  --announce ADDR    announce this multiaddr instead
  --private|--public force the reachability that AutoNAT would find out
  --no-pubsub        without GossipSub
  --state DIR        folder for key and control socket (default a temporary one, removed at the end);
                     with a folder that is kept the peer id stays the same
  --for S            stop after S seconds (default 120)
  --debug            libp2p's logs on stderr
U
exit 2; }

[ $# -ge 1 ] || usage
peers=$1; bin=$1/bin/p2pd; shift
port=0 ip=127.0.0.1 udp= security=both relay=0 autorelay= reach= pubsub=1 state= seconds=120 extra=()
while [ $# -gt 0 ]; do
  case $1 in
    --binary) bin=$2; shift;;
    --port) port=$2; shift;;        --ip) ip=$2; shift;;            --udp) udp=1;;
    --security) security=$2; shift;; --relay) relay=1;;             --autorelay) autorelay=$2; shift;;
    --announce) extra+=(-announceAddrs "$2"); shift;;
    --private) reach=-forceReachabilityPrivate;;                    --public) reach=-forceReachabilityPublic;;
    --no-pubsub) pubsub=0;;         --state) state=$2; shift;;      --for) seconds=$2; shift;;
    --debug) export GOLOG_LOG_LEVEL=${GOLOG_LOG_LEVEL:-debug};;
    --) shift; extra+=("$@"); break;;
    *) usage;;
  esac
  shift
done

[ -x "$bin" ] || { echo "go_peer.sh: no $bin; run install.sh first" >&2; exit 1; }
name="go-libp2p v0.32.1 (p2pd)"; [ "$bin" = "$peers/bin/p2pd" ] || name=$(basename "$bin")

own=; [ -n "$state" ] || { state=$(mktemp -d); own=1; }
mkdir -p "$state"; state=$(cd "$state" && pwd)
pid=
cleanup() {
  trap - EXIT
  [ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }
  rm -f "$state/control.sock"
  [ -z "$own" ] || rm -rf "$state"
}
trap cleanup EXIT
trap 'exit 0' TERM INT

if [ ! -s "$state/key" ]; then  # a libp2p private key: protobuf, Ed25519, 64 bytes
  "$peers/venv/bin/python" - "$state/key" <<'P'
import sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
key = Ed25519PrivateKey.generate()
open(sys.argv[1], "wb").write(b"\x08\x01\x12\x40" + key.private_bytes_raw() + key.public_key().public_bytes_raw())
P
fi

addrs=/ip4/$ip/tcp/$port
[ -z "$udp" ] || addrs=$addrs,/ip4/$ip/udp/$port/quic-v1
flags=(-listen "/unix$state/control.sock" -id "$state/key" -hostAddrs "$addrs" -idleTimeout 0 -relayDiscovery=false)
case $security in noise) flags+=(-tls=false);; tls) flags+=(-noise=false);; esac
[ $pubsub = 0 ] || flags+=(-pubsub -pubsubRouter gossipsub)
if [ $relay = 1 ]; then
  flags+=(-relayService=true); reach=${reach:--forceReachabilityPublic}  # the hop service only starts on a public peer
else
  flags+=(-relayService=false)
fi
if [ -n "$autorelay" ]; then
  # p2pd wants the DHT with autorelay; as a client, without -b, and told of no peers but the relay, it asks nobody else.
  flags+=(-autoRelay -trustedRelays "$autorelay" -dhtClient -bootstrapPeers "$autorelay"); reach=${reach:--forceReachabilityPrivate}
fi
[ -z "$reach" ] || flags+=("$reach")

rm -f "$state/control.sock"
"$bin" "${flags[@]}" "${extra[@]}" >"$state/out" 2>"$state/err" & pid=$!
for _ in $(seq 100); do
  grep -q '^/' "$state/out" 2>/dev/null && [ -S "$state/control.sock" ] && break
  kill -0 $pid 2>/dev/null || { cat "$state/out" "$state/err" >&2; exit 1; }
  sleep 0.1
done
id=$(sed -n 's/^Peer ID: //p' "$state/out")
list=$(sed -n "s|^\(/.*\)|\"\1/p2p/$id\"|p" "$state/out" | paste -sd, -)
printf '{"event":"ready","implementation":"%s","peer_id":"%s","addrs":[%s],"control":"%s","pid":%s}\n' \
  "$name" "$id" "$list" "$state/control.sock" "$pid"
[ -z "${GOLOG_LOG_LEVEL:-}" ] || tail -n +1 --pid=$pid -f "$state/err" >&2 &
for _ in $(seq "$seconds"); do kill -0 $pid 2>/dev/null || exit 1; sleep 1 & wait $!; done
