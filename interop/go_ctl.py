#!/usr/bin/env python3
"""Drives a running p2pd (go-libp2p) or goop2-p2pd over its control socket. Run it with the venv that install.sh made:

    DIR/venv/bin/python go_ctl.py SOCKET id | peers | connect ADDR | disconnect ADDR | ping ADDR | protocols ADDR
                                         | echo ADDR [--bytes N] [--parallel N] | echo-server | refused ADDR PROTOCOL
                                         | end-first ADDR | answered ADDR | end-last ADDR | reset ADDR | abandon ADDR
                                         | stalled ADDR
                                         | subscribe TOPIC | publish TOPIC TEXT [--count N] | topic-peers TOPIC

ADDR is a multiaddr with /p2p/PEER (a relayed one too); ping, echo, protocols and refused connect first. p2pd itself does not
answer protocols. With --at-line a command begins when a line comes on standard input: to start this program may take seconds.
One JSON object a line on stdout. Stops by itself after --for seconds.
"""
import argparse
import json
import os
import secrets
import sys
import time

import anyio
from multiaddr import Multiaddr
from p2pclient import Client
from p2pclient.libp2p_stubs.peer.id import ID
from p2pclient.pb import p2pd_pb2
from p2pclient.utils import raise_if_failed, read_pbmsg_safe, write_pbmsg

ECHO, PING = "/echo/1.0.0", "/ipfs/ping/1.0.0"
GREETING = bytes(i % 251 for i in range(300_000))


def say(event, **fields):
    print(json.dumps({"event": event, "t": round(time.time(), 3), **fields}), flush=True)


def beside(protocol, name):
    """The protocol of that name next to an echo protocol."""
    return protocol.replace("echo", name)


def split(addr):
    before, _, peer = addr.rpartition("/p2p/")
    return ID.from_base58(peer), [Multiaddr(before)] if before else []


async def read_exactly(stream, size):
    data = bytearray()
    while len(data) < size:
        data += await stream.receive(size - len(data))
    return bytes(data)


async def written(stream):
    """Until the kernel has everything: closing an anyio stream throws away what its transport still holds."""
    while (transport := getattr(stream, "_transport", None)) and transport.get_write_buffer_size():
        await anyio.sleep(0.005)


async def serve(client, protocol, handler):
    # p2pclient's own stream_handler lacks the field 'balanced', which this build of p2pd requires: here it is false.
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    request = p2pd_pb2.StreamHandlerRequest(addr=Multiaddr(f"/ip4/127.0.0.1/tcp/{port}").to_bytes(), proto=[protocol])
    request.MergeFromString(b"\x18\x00")
    # The registration lasts as long as the connection it was made on.
    async with listener, await client.control.daemon_connector.open_connection() as control:
        await write_pbmsg(control, p2pd_pb2.Request(type=p2pd_pb2.Request.STREAM_HANDLER, streamHandler=request))
        reply = p2pd_pb2.Response()
        await read_pbmsg_safe(control, reply)
        raise_if_failed(reply)
        say("ready", protocol=protocol)

        async def accepted(stream):
            async with stream:
                info = p2pd_pb2.StreamInfo()
                await read_pbmsg_safe(stream, info)
                try:
                    await handler(str(ID(info.peer)), str(Multiaddr(info.addr)), stream)
                    await written(stream)
                except Exception as error:
                    say("stream-ended", error=repr(error))
        await listener.serve(accepted)


async def echo_all(client, peer, protocol, payload):
    """One echo, from the first byte to the end of the stream."""
    _, stream = await client.stream_open(peer, [protocol])
    async with anyio.create_task_group() as group:
        group.start_soon(stream.send, payload)
        back = await read_exactly(stream, len(payload))
    await stream.send_eof()
    await stream.aclose()
    if back != payload:
        raise ValueError("echo differs")


async def read_to_end(stream):
    data = bytearray()
    try:
        while True:
            data += await stream.receive()
    except anyio.EndOfStream:
        return bytes(data)


async def behave(args, client, peer):
    """Streams that end in unusual ways. Each time, other streams of the connection must not notice."""
    if args.command in ("end-first", "answered"):  # what we sent still comes back; or, comes back only then
        protocol = args.echo_protocol if args.command == "end-first" else beside(args.echo_protocol, "answer")
        _, stream = await client.stream_open(peer, [protocol])
        async with anyio.create_task_group() as group:
            async def send():
                await stream.send(GREETING)
                await stream.send_eof()
            group.start_soon(send)
            back = await read_to_end(stream)
        await stream.aclose()
        if back != GREETING:
            raise ValueError(f"after our end {len(back)} of {len(GREETING)} bytes came back")
        say("half-closed", peer=str(peer))
    elif args.command == "end-last":  # the other side still takes what we send
        _, stream = await client.stream_open(peer, [beside(args.echo_protocol, "greet")])
        if await read_to_end(stream) != GREETING:
            raise ValueError("another greeting")
        await stream.send(GREETING)
        await stream.send_eof()
        await stream.aclose()
        say("half-closed", peer=str(peer))
    elif args.command == "reset":
        for _ in range(5):
            _, stream = await client.stream_open(peer, [args.echo_protocol])
            with anyio.move_on_after(0.2):  # nobody reads what comes back, so this gets stuck in the middle
                await stream.send(bytes(64 << 20))
            await stream.aclose()
        await echo_all(client, peer, args.echo_protocol, GREETING)
        say("reset", peer=str(peer))
    elif args.command == "abandon":
        left = [await client.stream_open(peer, [args.echo_protocol]) for _ in range(20)]
        for _, stream in left[:10]:
            await stream.send(b"and then nothing")
        await echo_all(client, peer, args.echo_protocol, GREETING)
        await anyio.sleep(1)
        await echo_all(client, peer, args.echo_protocol, GREETING)
        say("abandoned", peer=str(peer), streams=len(left))
    elif args.command == "stalled":
        async def stalled(started, go_on):
            _, stream = await client.stream_open(peer, [args.echo_protocol])
            async with anyio.create_task_group() as group:
                group.start_soon(stream.send, GREETING * 20)
                await started.wait()
                await go_on.wait()
                if await read_exactly(stream, 20 * len(GREETING)) != GREETING * 20:
                    raise ValueError("echo differs")
            await stream.aclose()
        started, go_on = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(stalled, started, go_on)
            await anyio.sleep(0.5)
            started.set()
            begin = time.perf_counter()
            for _ in range(20):
                await echo_all(client, peer, args.echo_protocol, GREETING)
            say("live", seconds=round(time.perf_counter() - begin, 2))
            go_on.set()
        say("stalled", peer=str(peer))


async def work(args, client):
    if args.command == "id":
        peer, addrs = await client.identify()
        say("id", peer_id=str(peer), addrs=[f"{a}/p2p/{peer}" for a in addrs])
        return
    if args.command == "peers":
        for info in await client.list_peers():
            say("peer", peer=str(info.peer_id), addrs=[str(a) for a in info.addrs])
        return
    if args.command == "topic-peers":
        say("topic-peers", topic=args.args[0], peers=[str(peer) for peer in await client.pubsub_list_peers(args.args[0])])
        return
    behaviours = ("end-first", "answered", "end-last", "reset", "abandon", "stalled")
    if args.command in ("connect", "disconnect", "ping", "protocols", "echo", "refused", *behaviours):
        peer, addrs = split(args.args[0])
        if addrs and args.command != "disconnect":
            await client.connect(peer, addrs)
            say("connected", peer=str(peer))
    if args.command in behaviours:
        await behave(args, client, peer)
    elif args.command == "ping":
        _, stream = await client.stream_open(peer, [PING])
        for _ in range(args.count):
            payload, begin = secrets.token_bytes(32), time.perf_counter()
            await stream.send(payload)
            if await read_exactly(stream, 32) != payload:
                raise ValueError("pong differs")
            say("pong", peer=str(peer), ms=round((time.perf_counter() - begin) * 1000, 2))
            await anyio.sleep(args.pause)
        await stream.aclose()
    elif args.command == "disconnect":
        await client.disconnect(peer)
        say("disconnected", peer=str(peer))
    elif args.command == "protocols":
        request = p2pd_pb2.Request(type=p2pd_pb2.Request.PEERSTORE)
        request.peerStore.type, request.peerStore.id = p2pd_pb2.PeerstoreRequest.GET_PROTOCOLS, peer.to_bytes()
        deadline = time.monotonic() + args.wait
        while True:  # the answer of identify, or a push of it, may still be on its way
            async with await client.control.daemon_connector.open_connection() as control:
                await write_pbmsg(control, request)
                reply = p2pd_pb2.Response()
                await read_pbmsg_safe(control, reply)
            protocols = sorted(reply.peerStore.protos)
            if time.monotonic() > deadline or (protocols and args.expect in (None, *protocols)):
                break
            await anyio.sleep(0.1)
        say("protocols", peer=str(peer), protocols=protocols)
        if not protocols or args.expect not in (None, *protocols):
            raise ValueError(f"{args.expect or 'anything'} is not among the protocols")
    elif args.command == "refused":
        try:
            await client.stream_open(peer, [args.args[1]])
        except Exception as error:
            say("refused", peer=str(peer), protocol=args.args[1], error=repr(error))
        else:
            raise ValueError("the stream was opened")
    elif args.command == "echo":
        payload = bytes(i % 251 for i in range(251)) * (args.bytes // 251 + 1)
        payload = payload[:args.bytes]
        begin = time.perf_counter()

        async def one():
            _, stream = await client.stream_open(peer, [args.echo_protocol])
            say("echoing", peer=str(peer))
            async with anyio.create_task_group() as group:
                group.start_soon(stream.send, payload)
                await anyio.sleep(args.stall)
                back = await read_exactly(stream, len(payload))
            # The end of our bytes becomes the end of the peer's: nothing may come behind the payload.
            await stream.send_eof()
            try:
                extra = await stream.receive()
                raise ValueError(f"{len(extra)} bytes behind the echo")
            except anyio.EndOfStream:
                pass
            await stream.aclose()
            if back != payload:
                raise ValueError("echo differs")
        async with anyio.create_task_group() as streams:
            for _ in range(args.parallel):
                streams.start_soon(one)
        seconds = time.perf_counter() - begin
        say("echoed", peer=str(peer), bytes=args.bytes, streams=args.parallel, seconds=round(seconds, 2),
            mb_s=round(args.bytes * args.parallel / seconds / 1e6, 1))
    elif args.command == "echo-server":
        async def echo(peer, addr, stream):
            say("echo-stream", peer=peer, addr=addr)
            total = 0
            try:
                async for data in stream:
                    total += len(data)
                    await stream.send(data)
            finally:
                say("echo-ended", peer=peer, bytes=total)

        async def greet(peer, addr, stream):
            await stream.send(GREETING)
            await stream.send_eof()
            say("greeted", peer=peer, bytes=len(await read_to_end(stream)))

        async def answer(peer, addr, stream):  # only when there is nothing more to come
            data = await read_to_end(stream)
            await stream.send(data)
            await stream.send_eof()
            say("answered", peer=peer, bytes=len(data))
        async with anyio.create_task_group() as group:
            if "echo" in args.echo_protocol:
                group.start_soon(serve, client, beside(args.echo_protocol, "greet"), greet)
                group.start_soon(serve, client, beside(args.echo_protocol, "answer"), answer)
            await serve(client, args.echo_protocol, echo)
    elif args.command == "subscribe":
        stream = await client.pubsub_subscribe(args.args[0])
        say("subscribed", topic=args.args[0])
        while True:
            message = p2pd_pb2.PSMessage()
            await read_pbmsg_safe(stream, message)
            say("message", topic=args.args[0], data=message.data.decode(errors="replace"),
                origin=str(ID(getattr(message, "from"))))
    elif args.command == "rate":
        topic, text = args.args
        begin = time.monotonic()
        for n in range(args.count):
            await client.pubsub_publish(topic, f"{text} {n}".encode())
            await anyio.sleep(max(0, begin + (n + 1) * args.every - time.monotonic()))
        say("rate", topic=topic, count=args.count, seconds=round(time.monotonic() - begin, 1))
    elif args.command == "publish":
        topic, text = args.args
        for n in range(args.count):
            data = text if args.count == 1 else f"{text} {n}"
            await client.pubsub_publish(topic, data.encode())
            say("published", topic=topic, data=data, peers=len(await client.pubsub_list_peers(topic)))
            await anyio.sleep(args.every)


async def run(args):
    if args.at_line:
        say("waiting")
        if not await anyio.to_thread.run_sync(sys.stdin.readline):
            return
    with anyio.move_on_after(args.seconds) as limit:
        client = Client(Multiaddr(f"/unix{os.path.abspath(args.socket)}"))
        await work(args, client)
    if limit.cancelled_caught and args.command not in ("echo-server", "subscribe"):
        raise TimeoutError(f"not done within {args.seconds} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket")
    parser.add_argument("command", choices=[
        "id", "peers", "connect", "disconnect", "ping", "protocols", "echo", "echo-server", "refused", "subscribe", "publish",
        "topic-peers", "end-first", "answered", "end-last", "reset", "abandon", "stalled", "rate"])
    parser.add_argument("args", nargs="*")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--every", type=float, default=0.5)
    parser.add_argument("--pause", type=float, default=0, help="ping: seconds between one and the next")
    parser.add_argument("--bytes", type=int, default=100_000)
    parser.add_argument("--parallel", type=int, default=1, help="streams at the same time")
    parser.add_argument("--stall", type=float, default=0, help="echo: read nothing for this many seconds")
    parser.add_argument("--expect", help="protocols: wait until this one is there")
    parser.add_argument("--wait", type=float, default=5, help="protocols: for at most this many seconds")
    parser.add_argument("--echo-protocol", default=ECHO)
    parser.add_argument("--at-line", action="store_true", help="begin when there is a line on standard input")
    parser.add_argument("--for", dest="seconds", type=float, default=60)
    args = parser.parse_args()
    try:
        anyio.run(run, args)
    except KeyboardInterrupt:
        pass
    except Exception as error:
        say("failed", what=args.command, error=repr(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
