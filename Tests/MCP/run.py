"""Drives `cycles mcp` with the SDK of the protocol and line by line, and prints a table of the results.

Usage: run.py TOOL [--measure] [--only PATTERN]
"""

import argparse
import sys

import protocol, tools, limits, crowds, endings  # noqa: F401, E401  The modules declare their cases.
import figures
import reporting
from world import ERAS, World


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--measure", action="store_true", help="measure the program, which is static")
    parser.add_argument("--only", metavar="PATTERN", default="", help="run the cases whose name contains this")
    options = parser.parse_args()
    holds = reporting.run(lambda: World(options.tool), ERAS, options.only)
    if options.measure:
        world = World(options.tool)
        try:
            figures.measure(world)
        except reporting.Failed as error:
            print(f"FAILED: figures: {error}", file=sys.stderr)
            holds = False
        finally:
            world.close()
    sys.exit(0 if holds else 1)


main()
