"""Save the dataset right before somebody ran a command: python replay_to_moment.py AOF COMMAND OUTPUT."""

import sys

import rdbtool


def main(aof: str, command: str, output: str) -> None:
    """Replay an AOF up to the last ``command``, such as flushall, and save what is there as an RDB."""
    report = rdbtool.replay(aof, before_last=command)
    for line in report.extent.lines():
        print(line)
    if report.doubts:
        sys.exit(f"the dataset is uncertain: {report.doubts[0].message}")
    saved = rdbtool.save(report.engine, output, force=False)
    print(f"{output}: {saved.keys:,} keys, digest {rdbtool.digest(output)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
