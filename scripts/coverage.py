#!/usr/bin/env python3
"""Line coverage per target from llvm-cov's export: coverage.py FILE.json MINIMUM_PERCENT"""
import collections
import json
import os
import sys

TARGETS = ("Multiformats", "PeerIdentity", "P2PCore", "GoopCore")


def main():
    path, minimum = sys.argv[1], float(sys.argv[2])
    root = os.path.join(os.getcwd(), "Sources") + os.sep
    lines, worst = collections.defaultdict(lambda: [0, 0]), collections.defaultdict(list)
    with open(path) as file:
        measured = json.load(file)["data"][0]["files"]
    for entry in measured:
        if not entry["filename"].startswith(root):
            continue
        name = entry["filename"][len(root):]
        target, summary = name.split(os.sep)[0], entry["summary"]["lines"]
        lines[target][0] += summary["covered"]
        lines[target][1] += summary["count"]
        worst[target].append((summary["count"] - summary["covered"], name))
    low = []
    for target in TARGETS:
        covered, count = lines[target]
        percent = 100 * covered / max(1, count)
        print(f"{target}: {percent:.1f} % of {count} lines")
        if percent < minimum:
            low.append(target)
            for missing, name in sorted(worst[target], reverse=True)[:8]:
                print(f"    {missing:5} lines not reached in {name}")
    if low:
        sys.exit(f"coverage: below {minimum:g} %: {', '.join(low)}")


if __name__ == "__main__":
    main()
