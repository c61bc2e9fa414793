"""Draws where the time of an Encrypt goes: samples a Keyhold under load with perf, as an SVG.

    flame_graph.py BENCH OUT.svg
"""

import collections
import html
import os
import re
import subprocess
import sys
import tempfile
import time

WIDTH = 1200
ROW = 17
SECONDS = 6
LEAST = 0.002  # of the whole: what is narrower is left out
LAYERS = (  # of a frame's colour, by what its name holds
    ("[k]", "#c9b8a8"),
    ("keyhold::token", "#e8a33d"),
    ("keyhold::pkcs11", "#e8a33d"),
    ("libsofthsm2", "#d9822b"),
    ("libcrypto", "#d0634f"),
    ("keyhold::iam", "#7fa650"),
    ("keyhold::audit", "#8e7cc3"),
    ("keyhold::app", "#8e7cc3"),
    ("keyhold::api", "#5b9bd5"),
    ("keyhold::json", "#5b9bd5"),
    ("keyhold::kms", "#4bacc6"),
    ("keyhold::http", "#9fb6cd"),
)


def keyhold_of(parent):
    for _ in range(600):
        found = subprocess.run(
            ["pgrep", "-P", str(parent), "-f", "keyhold dev"], stdout=subprocess.PIPE, text=True
        ).stdout.split()
        if found:
            return found[0]
        time.sleep(0.05)
    sys.exit("flame_graph: the bench starts no Keyhold")


def samples(bench):
    """Folded stacks and how often each was seen."""
    load = subprocess.Popen(
        [bench, "--parts", "load", "--length", "quick"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "perf.data")
        process = keyhold_of(load.pid)
        time.sleep(2)
        subprocess.run(
            ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "--call-graph", "dwarf,16384",
             "-p", process, "-o", data, "--", "sleep", str(SECONDS)],
            check=True,
        )
        load.wait()
        script = subprocess.run(
            ["perf", "script", "-i", data, "-F", "comm,ip,sym,dso", "--no-inline"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
        ).stdout
    stacks = collections.Counter()
    for block in script.split("\n\n"):
        frames = []
        for line in block.splitlines()[1:]:
            match = re.match(r"\s*[0-9a-f]+ (.*) \((.*)\)$", line)
            if match:
                frames.append(name_of(match.group(1), os.path.basename(match.group(2))))
        if frames:
            stacks[tuple(reversed(frames))] += 1
    return stacks


def name_of(symbol, library):
    if library.startswith("[kernel"):
        return "[k] " + symbol
    if symbol == "[unknown]":
        return library
    symbol = re.sub(r"\(.*", "", re.sub(r"<.*?>", "", symbol.replace("(anonymous namespace)::", "")))
    return f"{symbol} ({library})" if library.startswith(("libsofthsm2", "libcrypto")) else symbol


class Node:
    def __init__(self):
        self.count = 0
        self.children = {}


def tree(stacks):
    root = Node()
    for frames, count in stacks.items():
        node = root
        node.count += count
        for frame in frames:
            if frame in ("boost::asio::detail::scheduler::run",):
                continue
            node = node.children.setdefault(frame, Node())
            node.count += count
    return root


def colour(name):
    return next((paint for mark, paint in LAYERS if mark in name), "#d8d8d8")


def draw(root):
    boxes = []
    deepest = 0

    def place(node, x, depth):
        nonlocal deepest
        for name in sorted(node.children):
            child = node.children[name]
            width = WIDTH * child.count / root.count
            if child.count / root.count >= LEAST:
                boxes.append((x, depth, width, name, child.count))
                deepest = max(deepest, depth)
                place(child, x, depth + 1)
            x += width

    place(root, 0, 0)
    height = (deepest + 2) * ROW
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">'
    )
    for x, depth, width, name, count in boxes:
        y = height - (depth + 1) * ROW
        part = 100 * count / root.count
        label = html.escape(name)
        yield (
            f'<g><title>{label}: {part:.1f} %</title><rect x="{x:.1f}" y="{y}" '
            f'width="{max(width - 0.3, 0.3):.1f}" height="{ROW - 1}" fill="{colour(name)}"/>'
        )
        letters = int(width / 6.2)
        if letters >= 4:
            short = name if len(name) <= letters else name[: letters - 1] + "…"
            yield f'<text x="{x + 2:.1f}" y="{y + 12}">{html.escape(short)}</text>'
        yield "</g>"
    yield "</svg>\n"


def main():
    bench, out = sys.argv[1:]
    stacks = samples(bench)
    if not stacks:
        sys.exit("flame_graph: perf saw nothing")
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(draw(tree(stacks))))
    print(f"{out}: {sum(stacks.values())} samples")


if __name__ == "__main__":
    main()
