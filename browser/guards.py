"""Each guard of the viewer taken out in turn: the attack it stops must then succeed, and must not succeed before. See guards."""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time

import firefox
import guard_scenes as scenes
from between import Between
from guard_cases import CASES, TOLD
from origins import elsewhere, site_origin
from peer import Peer
from story import HERE, Browser, browser, give_hostile_site


class World:
    """Three peers, a server outside, and the proxy: what every case needs."""

    def __init__(self, program, folder, outside, hits):
        self.outside, self.hits = outside, hits
        self.between = Between()
        self.folder = folder
        self.me = Peer(program, folder / "me", "--label", "Me")
        # With a viewer, which tells who visits: a free port is found for it.
        self.neighbour = Peer(program, folder / "neighbour", "--label", "Neighbour")
        self.tables = set()
        self.hostile = Peer(program, folder / "hostile", "--label", scenes.HOSTILE_LABEL, "--no-viewer")

    def start(self):
        self.me.start()
        self.me.stop()
        self.me.set_config("profile", "email", "me@example.org")
        self.start_viewer()
        self.neighbour.start()
        self.neighbour.stop()
        self.neighbour.set_config("profile", "email", "neighbour@example.org")
        self.neighbour.set_config("profile", "share_email", True)
        scenes.neighbour_site(self.neighbour)
        self.start_neighbour()
        give_hostile_site(self.hostile)
        (self.hostile.folder / "avatar.png").write_bytes(scenes.PICTURE)
        self.hostile.start()
        scenes.neighbour_site(self.me)
        scenes.make_favourite(self)
        # What a browser does once is done: every attempt begins with a copy of this profile.
        self.profile = self.folder / "profile"
        with browser(arguments=[f"--user-data-dir={self.profile}"]) as page:
            page.driver.get(self.url)
            page.wait(lambda: page.run("return sessionStorage.getItem('goop-log-began')"), "the log of the browser begun", 20)

    def start_viewer(self):
        self.url = self.me.start()["viewer"]["url"]
        self.port = self.url.rstrip("/").rsplit(":", 1)[1]

    def start_neighbour(self):
        self.neighbour_url = self.neighbour.start()["viewer"]["url"]

    def restart(self):
        for peer in (self.hostile, self.neighbour, self.me):
            peer.stop()
        self.start_viewer()
        self.start_neighbour()
        self.hostile.start()

    def stop(self):
        for peer in (self.hostile, self.neighbour, self.me):
            with contextlib.suppress(AssertionError):
                peer.stop()
        self.between.close()

    def site(self, peer):
        return site_origin(self.url, peer.id)

    def consent(self, peer):
        kept = self.me.folder / "data" / "consents.json"
        return kept.exists() and peer.id in kept.read_text()


def attempt(world, case, changes):
    """What came of one attack: a text that says what it got, or empty."""
    world.between.changes = (*case.always, *changes)
    world.between.faults.clear()
    world.hits.clear()
    # A browser that ends may write into its profile a moment longer.
    with tempfile.TemporaryDirectory(prefix="goop2-profile-", ignore_cleanup_errors=True) as profile:
        shutil.copytree(world.profile, profile, dirs_exist_ok=True, symlinks=True)
        arguments = [*world.between.arguments("*.leak.test"), f"--user-data-dir={profile}", *case.arguments]
        try:
            with browser(arguments=arguments) as page:
                got = case.scene(world, page, case.attack)
        except Exception as error:
            # A change that does not fit what it is to change leaves a page that is not whole: that is what to hear of.
            if world.between.faults:
                raise AssertionError(world.between.faults[0]) from error
            raise
        if case.afterwards and not got:
            got = case.afterwards(world, pathlib.Path(profile))
    if world.between.faults:
        raise AssertionError(world.between.faults[0])
    return got


def shown(got):
    """What an attack got, in one line, without what is another one in each run: ids of peers, and ports but the viewer's."""
    for label in (scenes.HOSTILE_LABEL, json.dumps(scenes.HOSTILE_LABEL)[1:-1]):
        got = got.replace(label, "…")
    got = " ".join(got.split()).replace("|", "\\|").replace("<", "&lt;")
    got = re.sub(r"\bk[0-9a-z]{40,62}\b(\.localhost)?", "&lt;site>", got)
    got = re.sub(r"\b12D3KooW\w+", "&lt;id>", got)
    return re.sub(r"\b(127\.0\.0\.1|localhost):(?!8080)\d+", r"\1:…", got)


def judge(world, case, changes):
    before = attempt(world, case, ())
    if before:
        return f"it succeeds with the guard in place: {before[:120]}"
    for change in changes if len(changes) > 1 else ():
        one = attempt(world, case, [other for other in changes if other is not change])
        if one:
            return f"{change} alone was said to be enough, and is not: {one[:120]}"
    after = attempt(world, case, changes)
    if not after:
        return "it does not succeed without the guard either"
    case.seen = shown(after)
    return ""


def record(world):
    """Which names the browsers look up for a site with every guard in place, and what is not as it is written down. The
    browsers' versions come with it: another version may do otherwise."""
    world.between.changes = ()
    versions, seen, faults = {}, {}, []
    for told in TOLD:
        with browser(arguments=world.between.arguments("*.leak.test")) as page:
            versions["Chromium"] = page.driver.capabilities["browserVersion"]
            seen[told.way, "Chromium"] = bool(scenes.looked_up(world, page, told.way))
    if firefox.PROGRAM is not None:
        with contextlib.closing(firefox.Firefox()) as page:
            versions["Firefox"] = page.version
            for told in TOLD:
                seen[told.way, "Firefox"] = bool(scenes.looked_up_in_firefox(world, page, told.way))
    for told in TOLD:
        for name, expected in (("Chromium", told.chromium), ("Firefox", told.firefox)):
            if (found := seen.get((told.way, name))) is None:
                continue
            says = f"{name} {versions[name]}, the name in {told.way}: {'looked up' if found else 'not looked up'}"
            print(f"  {'told ' if found == expected else 'FAIL '} {says}", flush=True)
            if found != expected:
                faults.append(says)
    return versions, seen, faults


def try_all(world, cases):
    """Tries the cases, and says what came of each: those that went as they should, and the others."""
    seen, failed = [], []
    for case in cases:
        start = time.monotonic()
        try:
            fault = with_code_out(world, case) if case.code else judge(world, case, case.changes)
        except Exception as error:
            fault = f"{type(error).__name__}: {str(error)[:300]}"
        (failed if fault else seen).append(case)
        print(f"  {'FAIL ' if fault else 'ok   '} {case.name} [{case.guards}] "
              f"{fault or case.seen[:80]} ({time.monotonic() - start:.1f} s)", flush=True)
    return seen, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--goop2", default="./goop2", help="the program (default: ./goop2)")
    parser.add_argument("--open", help="the program built from the copy whose guards can be taken out")
    parser.add_argument("--only", action="append", help="cases whose name holds this text; may be given again")
    parser.add_argument("--names", action="store_true", help="with --only: which names are looked up, too")
    parser.add_argument("--table", action="store_true", help="write what went as it should into the tables of docs/attacks.md")
    parser.add_argument("--patience", type=float, default=1, help="how many times longer to wait than a quiet machine needs")
    options = parser.parse_args()
    Browser.patience = options.patience
    failed, seen, versions, told = [], [], {}, {}
    chosen = [case for case in CASES if not options.only or any(text in case.name for text in options.only)]
    codes = sorted({case.code for case in chosen if case.code})
    # The guards that are code are out for a whole run of the program, so each of them has a run of its own.
    for code in [(), *codes]:
        cases = [case for case in chosen if case.code == code]
        records = not code and (options.names or not options.only)
        if not cases and not records:
            continue
        program = pathlib.Path(options.open if code else options.goop2)
        if code and not (options.open and program.exists()):
            sys.exit(f"guards: {program} is not there: browser/guards builds it")
        os.environ.pop("GOOP2_GUARDS_OUT", None)
        with tempfile.TemporaryDirectory(prefix="goop2-guards-") as folder, elsewhere() as (outside, hits):
            world = World(program.resolve(), pathlib.Path(folder), outside, hits)
            try:
                world.start()
                went, did_not = try_all(world, cases)
                seen += went
                failed += did_not
                if records:
                    versions, told, faults = record(world)
                    failed += faults
            finally:
                world.stop()
    print(f"guards: {len(seen)} of {len(chosen)} attacks stopped by the guard named, and by no other")
    if options.table:
        write_tables(seen, versions, told)
    sys.exit(1 if failed else 0)


def with_code_out(world, case):
    """The same with guards that are code: the peers are started again without them."""
    before = attempt(world, case, ())
    if before:
        return f"it succeeds with the guard in place: {before[:120]}"

    def without(*code):
        os.environ["GOOP2_GUARDS_OUT"] = ",".join(code)
        world.restart()
        return attempt(world, case, case.changes)
    try:
        for kept in case.code if len(case.code) > 1 else ():
            one = without(*(other for other in case.code if other != kept))
            if one:
                return f"{kept} alone was said to be enough, and is not: {one[:120]}"
        case.seen = shown(without(*case.code))
        return "" if case.seen else "it does not succeed without the guard either"
    finally:
        os.environ.pop("GOOP2_GUARDS_OUT", None)
        world.restart()


def write_tables(cases, versions, told):
    """Writes the rows of these cases; a row of another case stays as long as that case names the same guards."""
    path = HERE.parent / "docs" / "attacks.md"
    text = path.read_text()
    begin, end = "guards of browser/guards", "end of guards"
    kept = set(text.partition(begin)[2].partition(end)[0].splitlines())
    rows = ["| attack | guard | without it |", "| --- | --- | --- |"]
    for case in CASES:
        row = f"| {case.name} | {case.guards} | "
        rows += [f"{row}{case.seen[:90]} |"] if case in cases else [old for old in kept if old.startswith(row)]
    text = between_marks(text, begin, end, rows)
    if told:
        rows = ["| the site has | " + " | ".join(f"{name} {version}" for name, version in versions.items()) + " |",
                "| --- |" + " --- |" * len(versions)]
        rows += [f"| {one.way} | " + " | ".join("looked up" if told[one.way, name] else "not" for name in versions) + " |" for one in TOLD]
        text = between_marks(text, "names of browser/guards", "end of names", rows)
    path.write_text(text)


def between_marks(text, begin, end, rows):
    begin, end = f"<!-- {begin} -->\n", f"<!-- {end} -->"
    head, _, rest = text.partition(begin)
    return head + begin + "\n".join(rows) + "\n" + end + rest.partition(end)[2]


if __name__ == "__main__":
    main()
