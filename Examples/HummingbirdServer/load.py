#!/usr/bin/env python3
"""Requests answers from the example server, and abandons some of them early.

usage: load.py PORT TENANT REQUESTS DISCONNECTS

Prints the number of complete answers, of those left early, and of refusals by status, and the tokens that the complete
answers name.
"""

import asyncio
import collections
import re
import sys

port, tenant, requests, disconnects = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
results = collections.Counter()
tokens = 0


async def ask(number, gate):
    global tokens
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        prompt = "x" * (20 + number % 60)
        writer.write(
            f"POST /answers/{tenant} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"traceparent: 00-{number + 1:032x}-{number + 1:016x}-01\r\n"
            f"Content-Length: {len(prompt)}\r\n\r\n{prompt}".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split()[1])
        if status == 200 and number < disconnects:
            await reader.read(1 + number % 40)
            results["left early"] += 1
        else:
            body = await reader.read()
            if status == 200:
                tokens += int(re.search(rb"usage: (\d+)", body).group(1))
                results["complete"] += 1
            else:
                results[str(status)] += 1
                if b"retry-after" in head.lower():
                    results["retry-after"] += 1
        writer.close()


async def main():
    gate = asyncio.Semaphore(32)
    await asyncio.gather(*(ask(number, gate) for number in range(requests)))
    print(" ".join(f"{name}={count}" for name, count in sorted(results.items())), f"tokens={tokens}")


asyncio.run(main())
