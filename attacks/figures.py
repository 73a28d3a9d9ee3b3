"""The figures of attacks/run in a Markdown page: a row for each attack with its day, and what all of them come to."""
import datetime
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = "<!-- figures of attacks/run -->\n", "<!-- end of figures -->\n"
COMPARISON = "for comparison"  # how the row begins that is no attack
COLUMNS = ("attack", "rounds a second", "resident growth", "honest p99, quiet", "attacked", "at most twice")


def write(path, rows, connecting, multicasting):
    """Puts rows (name, result, why, figures) between the marks of a page; attacks that were not tried keep theirs.

    `connecting` and `multicasting` are the names of all attacks, in order: a table each.
    """
    with open(path) as file:
        before, _, rest = file.read().partition(BEGIN)
    old, _, after = rest.partition(END)
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in old.splitlines(keepends=True) if line.startswith("| ")}
    for name, result, why, figures in rows:
        lines[name] = row(name, result, why, figures, name in multicasting, datetime.date.today().isoformat())
    told = [lines[name] for name in connecting if name in lines]
    of_multicast = [lines[name] for name in multicasting if name in lines]
    text = f"Latest run: {machine()}. {summary(told + of_multicast)}\n\n" + head(COLUMNS + ("day",)) + "".join(told)
    if of_multicast:
        text += "\nBy multicast:\n\n" + head(COLUMNS + ("served as before after", "day")) + "".join(of_multicast)
    with open(path, "w") as file:
        file.write(before + BEGIN + text + END + after)


def head(columns):
    return "| " + " | ".join(columns) + " |\n" + "| --- " * len(columns) + "|\n"


def row(name, result, why, figures, multicast, day):
    cells = [name]
    if figures is None:
        cells += [""] * 4
    else:
        quiet, attacked = (f"{figures[one]:.1f}" for one in ("quiet", "attacked"))
        cells += [f"{figures['acts']:,.0f}", f"{figures['growth']:+.0f} MB", f"{quiet} ms", f"{attacked} ms"]
    back = "" if figures is None or figures["recovery"] is None else f"{figures['recovery']:.1f} s"
    if result != "ok":
        verdict = "**failed**: " + " ".join(why.split()).replace("|", "/")
    else:
        # Of the figures as they are shown: whoever reads them can tell.
        verdict = "met" if float(attacked) <= 2 * float(quiet) else "**missed**"
        if not multicast and back != "0.0 s":
            verdict += f"; served as before after {back}"
    return "| " + " | ".join([*cells, verdict, *([back] if multicast else []), day]) + " |\n"


def summary(lines):
    """What the rows of a table come to, in a few sentences."""
    attacks = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines
               if not line.startswith(f"| {COMPARISON}")]
    failed = sum("**failed**" in cells[5] for cells in attacks)
    missed = sum("**missed**" in cells[5] for cells in attacks)
    measured = [cells for cells in attacks if cells[1]]
    said = (f"{len(attacks) - failed} attacks were withstood, {failed} were not. The honest p99 was at most twice the quiet one in "
            f"{len(attacks) - failed - missed} of them, and more in {missed}")
    if measured:
        def number(cell):
            return float(re.sub(r"[^\d.-]", "", cell))
        slowest = max(measured, key=lambda cells: number(cells[4]))
        largest = max(measured, key=lambda cells: number(cells[2]))
        said += f"; the longest is {slowest[4]} ({slowest[0]}). The most growth is {largest[2].lstrip('+')} ({largest[0]})"
    return said + "."


def machine():
    """One line about this machine, the commit and the day, as above the benchmarks."""
    return subprocess.run([os.path.join(HERE, "..", "scripts", "machine")], capture_output=True, text=True).stdout.strip()
