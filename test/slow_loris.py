"""Connections that send half a request, and hold on to it: in a process of their own.

    python test/slow_loris.py PORT COUNT ADDRESSES

COUNT connections at a time from so many loopback addresses. Each sends a few bytes every second,
and is opened again when it is closed. Ends with its standard input, and prints what it saw.
"""

import asyncio
from collections import Counter
import json
import resource
import sys

_HALF = b'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow:'


async def hold(port: int, source: str, seen: Counter, begin_s: float) -> None:
    """One connection after the other."""
    await asyncio.sleep(begin_s)
    while True:
        try:
            reader, writer = await asyncio.open_connection(
                '127.0.0.1', port, local_addr=(source, 0))
        except OSError as error:
            seen[f'not opened: {error.strerror}'] += 1
            await asyncio.sleep(1.0)
            continue
        seen['opened'] += 1
        try:
            writer.write(_HALF)
            while True:
                try:
                    async with asyncio.timeout(1.0):
                        data = await reader.read(65536)
                except TimeoutError:
                    writer.write(b' x')
                    continue
                if not data:
                    break
                seen[f'answered {data[9:12].decode(errors="replace")}'] += 1
        except OSError:
            pass
        finally:
            writer.transport.abort()
        seen['closed'] += 1
        await asyncio.sleep(0.5)


async def main() -> None:
    """Hold connections until standard input ends."""
    port, count, addresses = map(int, sys.argv[1:])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))
    seen: Counter = Counter()
    tasks = [asyncio.ensure_future(
        hold(port, f'127.0.0.{10 + number % addresses}', seen, 2.0 * number / count))
        for number in range(count)]
    print('ready', flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps(seen))


if __name__ == '__main__':
    asyncio.run(main())
