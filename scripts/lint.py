"""The rules of CONTRIBUTING.md that a program can check. Prints one line a finding; exits 1 if there is one."""
import json
import os
import pathlib
import re
import subprocess
import sys

# Who may import whom inside the package (docs/architecture.md). An edge that is not here is a finding.
ALLOWED = {
    "Multiformats": set(),
    "CLibCrypto": set(),  # the system's libcrypto; only P2PCore/Noise sees it
    "CResolv": set(),  # the system's resolver; only P2PSwarm/Transport sees it
    "PeerIdentity": {"Multiformats"},
    "P2PCore": {"CLibCrypto", "Multiformats", "PeerIdentity"},
    "GoopCore": {"Multiformats", "PeerIdentity"},
    "GoopStore": {"GoopCore", "Multiformats", "PeerIdentity"},  # the only one that sees SQLite
    "P2PSwarm": {"CResolv", "Multiformats", "PeerIdentity", "P2PCore"},
    "LibP2P": {"Multiformats", "PeerIdentity", "P2PCore", "P2PSwarm"},
    "GoopHTTP": {"GoopCore", "Multiformats", "PeerIdentity"},
    "GoopNode": {"GoopCore", "GoopHTTP", "GoopStore", "LibP2P", "Multiformats", "PeerIdentity"},
    "goop2": {"GoopNode", "GoopCore", "GoopStore", "LibP2P", "PeerIdentity"},
    "goop2-p2pd": {"P2PDaemon"},
    "P2PDaemon": {"LibP2P", "Multiformats", "PeerIdentity", "P2PCore"},
    "mdns-probe": {"LibP2P", "Multiformats", "PeerIdentity"},
    "example-echo": {"LibP2P"},
    "example-chat": {"LibP2P"},
    "example-send": {"LibP2P"},
    "bench-connections": {"LibP2P"},
    "bench-tables": {"GoopNode", "GoopCore", "GoopStore", "LibP2P"},
    "link-shaper": set(),
    "GoopTestKit": {"Multiformats", "PeerIdentity", "P2PCore", "GoopCore"},
}
# Levels 0 to 2 do no I/O: these modules must not appear there.
NO_IO = {"Multiformats", "PeerIdentity", "P2PCore", "GoopCore"}
IO_MODULES = re.compile(r"^\s*(?:@\w+\s+)*(?:public |package |internal |private )?import (NIO\w*|Glibc|Foundation|Logging|Dispatch|Metrics)\b")
MAY_USE = {"GoopCore": {"Glibc"}}  # identity and configuration files are written atomically there

FORBIDDEN = [
    (re.compile(r"\btry!"), "try!"),
    (re.compile(r"\bfatalError\("), "fatalError"),
    (re.compile(r"\bpreconditionFailure\("), "preconditionFailure"),
    (re.compile(r"\bas! "), "as!"),
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "an unfinished mark"),
    (re.compile(r"\bprint\(.*(secret|privateKey|password|token)", re.I), "a secret in a print"),
]
UNCHECKED = re.compile(r"@unchecked Sendable|\bnonisolated\(unsafe\)")
MAXIMUM_LINES = 700  # 600 is the rule; up to 700 is a finding for people, beyond it for this program

findings = []


def tracked(*patterns):
    return subprocess.check_output(["git", "ls-files", *patterns], text=True).split("\n")[:-1]


package = json.loads(subprocess.check_output(["swift", "package", "describe", "--type", "json"], text=True))
for target in package["targets"]:
    if target["type"] == "test":
        continue
    name = target["name"]
    allowed = ALLOWED.get(name)
    if allowed is None:
        findings.append(f"Package.swift: target {name} has no place in scripts/lint.py's table of who may import whom")
        continue
    for dependency in target.get("target_dependencies", []):
        if dependency not in allowed:
            findings.append(f"Package.swift: {name} must not depend on {dependency}")

for name in tracked("Sources/*.swift"):
    parts = pathlib.PurePath(name).parts
    lines = pathlib.Path(name).read_text().splitlines()
    if len(lines) > MAXIMUM_LINES:
        findings.append(f"{name}: {len(lines)} lines; find the second room in it")
    for number, line in enumerate(lines, 1):
        code = line.split("//", 1)[0]
        if parts[1] in NO_IO and (match := IO_MODULES.match(line)) and match[1] not in MAY_USE.get(parts[1], ()):
            if match[1] == "Foundation" and lines[number - 2].strip() == "#else":
                continue  # the fall-back for platforms without FoundationEssentials
            findings.append(f"{name}:{number}: {parts[1]} does no I/O and must not import {match[1]}")
        for pattern, what in FORBIDDEN:
            if parts[1] == "GoopTestKit" and what == "preconditionFailure":
                continue  # the kit's own misuse; nothing remote reaches it
            if pattern.search(line if "mark" in what else code):
                findings.append(f"{name}:{number}: {what}")
        # What the compiler is told not to look at says why it is right all the same: above, or in the first line of the body.
        if UNCHECKED.search(code) and not any("//" in near for near in lines[max(0, number - 4):number + 1]):
            findings.append(f"{name}:{number}: no reason beside what the compiler does not check")

for name in tracked():
    path = pathlib.Path(name)
    if path.is_symlink() and os.readlink(path).startswith("/"):
        findings.append(f"{name}: a link to a path of one machine")
    if path.is_symlink() or not path.is_file() or name == "scripts/lint.py":
        continue
    if path.stat().st_size > 1 << 20:
        findings.append(f"{name}: larger than 1 MiB")
        continue
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        continue
    if re.search(r"(?<![\w./])/(?:root|home)/\w", text):
        findings.append(f"{name}: a path of one machine")

print("\n".join(findings), end="\n" if findings else "")
sys.exit(1 if findings else 0)
