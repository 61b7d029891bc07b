"""Write a snapshot for an older server: python convert.py FILE OUTPUT SERVER."""

import sys

import rdbtool


def main(path: str, output: str, server: str) -> None:
    """Convert a file for a server such as redis-6.2, and say what that server cannot hold."""
    try:
        done = rdbtool.convert(path, output, target=server)
    except rdbtool.LossError as error:
        print(f"not without loss: {error}")
        done = rdbtool.convert(path, output, target=server, allow_loss=True)
    for loss in done.losses:
        if loss.severity == "loss":
            print(f"lost: {loss.times} × {loss.what} of {loss.key!r}")
    print(f"{done.destination}: {done.keys:,} keys, {done.bytes:,} bytes")
    verdict = rdbtool.validate(output, level="server", rules=server)
    print(f"{server} loads it: {verdict.answer}")


if __name__ == "__main__":
    main(*sys.argv[1:])
