"""Builds goop2 from a throw-away copy of the sources in which guards that are code can be taken out by name: by the
variable GOOP2_GUARDS_OUT, which exists in that copy only. Prints the path of the program."""
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent
COPY = HERE / ".build-guards" / "copy"

SWITCH = '''#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Only in the copy that browser/guards makes.
enum GuardsOut {
    static func has(_ name: String) -> Bool {
        guard let text = getenv("GOOP2_GUARDS_OUT") else { return false }
        return String(cString: text).split(separator: ",").contains { $0 == name }
    }
}
'''

# Where the switch is needed: each of them is a module of its own.
MODULES = ("GoopHTTP", "GoopCore")

# Name of the guard: file, what stands there, what stands in the copy.
EDITS = {
    "consent for the e-mail": (
        "Sources/GoopHTTP/Sites/SiteResponder.swift",
        'if await !backend.hasConsent(.email, for: peer) { profile.email = "" }',
        'if await !backend.hasConsent(.email, for: peer), !GuardsOut.has("email") { profile.email = "" }'),
    "e-mails of others left out": (
        "Sources/GoopHTTP/Sites/SiteResponder.swift",
        'entry.email = ""\n', 'if !GuardsOut.has("emails") { entry.email = "" }\n'),
    "favourites left out": (
        "Sources/GoopHTTP/Sites/SiteResponder.swift",
        "entry.favorite = false", 'if !GuardsOut.has("favourites") { entry.favorite = false }'),
    "one site's files on its origin": (
        "Sources/GoopHTTP/Sites/SiteProxy.swift",
        "        case .file, .noPeer:\n            return notices.siteNotice(.noSuchPeer, place: place",
        "        case .file(let other, let path) where GuardsOut.has(\"files\"):\n"
        "            return await open(path, of: other, request: request, target: target, place: place, fields: fields)\n"
        "        case .file, .noPeer:\n            return notices.siteNotice(.noSuchPeer, place: place"),
    "one peer's tables on its origin": (
        "Sources/GoopHTTP/Data/DataProxy.swift",
        "guard address.peer == site else {", 'guard address.peer == site || GuardsOut.has("tables") else {'),
    "escaped slashes refused": (
        "Sources/GoopHTTP/Sites/SiteAddress.swift",
        'guard decoded != UInt8(ascii: "/"), decoded', 'guard decoded != UInt8(ascii: "/") || GuardsOut.has("slashes"), decoded'),
    "dots between slashes refused": (
        "Sources/GoopHTTP/Sites/SiteAddress.swift",
        'if segment.elementsEqual(".".utf8)', 'if !GuardsOut.has("dots"), segment.elementsEqual(".".utf8)'),
    "no way up out of the site": (
        "Sources/GoopCore/Site/SitePath.swift",
        '            case "..":\n',
        '            case "..":\n'
        '                if GuardsOut.has("climbing") {\n                    names.append(name)\n                    continue\n                }\n'),
    "names that begin with a dot left out": (
        "Sources/GoopCore/Site/SitePath.swift",
        "if components.contains(where:", 'if !GuardsOut.has("hidden"), components.contains(where:'),
    "the look at where an opened file is": (
        "Sources/GoopCore/Files/SiteFolder.swift",
        "place.utf8.starts(with: prefix.utf8) else {", 'place.utf8.starts(with: prefix.utf8) || GuardsOut.has("place") else {'),
}


FOLDERS = ("Sources", "Tests", "Examples", "Benchmarks", "lab")


def edited():
    """Every file of the copy, by its path within it."""
    files = {pathlib.Path(f"Sources/{module}/GuardsOut.swift"): SWITCH.encode() for module in MODULES}
    listed = subprocess.check_output(["git", "ls-files", "Package.swift", *FOLDERS], cwd=HERE, text=True).splitlines()
    for name in listed + [name for name in ("Package.resolved",) if (HERE / name).exists()]:
        if (HERE / name).is_file():
            files[pathlib.Path(name)] = (HERE / name).read_bytes()
    for guard, (name, old, new) in EDITS.items():
        text = files[pathlib.Path(name)].decode()
        if text.count(old) != 1:
            sys.exit(f"guards: {name} does not hold the code of the guard '{guard}' once")
        files[pathlib.Path(name)] = text.replace(old, new).encode()
    return files


def build():
    files = edited()
    for folder in FOLDERS:
        for path in (COPY / folder).rglob("*"):
            if path.is_file() and path.relative_to(COPY) not in files:
                path.unlink()
    for name, content in files.items():
        path = COPY / name
        # A file that stayed the same keeps its time, so that only what changed is compiled again.
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    subprocess.run(["swift", "build", "--product", "goop2", "--package-path", str(COPY)], check=True, stdout=sys.stderr)
    return COPY / ".build" / "debug" / "goop2"


if __name__ == "__main__":
    print(build())
