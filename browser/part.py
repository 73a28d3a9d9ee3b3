"""A part of the browser checks as a program: its options, its folders, its peers, its count and its exit code."""
import argparse
import contextlib
import pathlib
import sys
import tempfile

from story import Suite


def options(about, **more):
    """What every part can be told. `more` are further options of one part, by name, with what `--help` says of them."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--goop2", default="./goop2", help="the program (default: ./goop2)")
    parser.add_argument("--screenshots", help="folder for pictures (default: a new one under the temporary folder)")
    for name, says in more.items():
        parser.add_argument(f"--{name}", help=says)
    return parser.parse_args()


def run(name, story, chosen):
    """Runs `story(suite, program, folder)` with a new folder for its peers, says how many checks passed, and ends this
    process: with 0 if all did, with 1 if one did not."""
    program = pathlib.Path(chosen.goop2).resolve()
    if not program.exists():
        sys.exit(f"browser: {program} is not there; build it with: make build")
    with tempfile.TemporaryDirectory(prefix=f"goop2-{name.replace(' ', '-')}-peers-") as folder:
        judge(name, chosen, lambda suite: story(suite, program, pathlib.Path(folder)))


def judge(name, chosen, story):
    """The same for a story that starts no peers."""
    screenshots = pathlib.Path(chosen.screenshots or tempfile.mkdtemp(prefix=f"goop2-{name.replace(' ', '-')}-"))
    screenshots.mkdir(parents=True, exist_ok=True)
    suite = Suite(screenshots)
    story(suite)
    print(f"{name}: {suite.count - len(suite.failed)} of {suite.count} checks passed; pictures in {screenshots}")
    sys.exit(1 if suite.failed else 0)


@contextlib.contextmanager
def ended(*peers, suite=None):
    """Ends these peers, the last one first, whatever comes of what is done with them. With a suite each end is a check."""
    def end(peer):
        with suite.check(f"{peer.folder.name} ends cleanly") if suite else contextlib.nullcontext():
            peer.stop()
    with contextlib.ExitStack() as ends:
        for peer in peers:
            ends.callback(end, peer)
        yield
