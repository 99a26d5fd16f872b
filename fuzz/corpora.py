#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""corpora.py unpack FOLDER: writes the inputs of fuzz/corpora/NAME.txt to FOLDER/NAME, beside the seeds that fuzz_seeds writes there.
corpora.py add NAME FILE...: adds these inputs to fuzz/corpora/NAME.txt.

What a long run has found worth keeping beyond the seeds, and each input that was a finding once: base64, one input a line, sorted.
`NAME -set_cover_merge=1 OUT IN...` of libFuzzer chooses few inputs that cover what many do.
"""
import base64
import hashlib
import pathlib
import sys

CORPORA = pathlib.Path(__file__).resolve().parent / "corpora"


def inputs(name):
    path = CORPORA / f"{name}.txt"
    return [base64.b64decode(line, validate=True) for line in path.read_text().splitlines()] if path.exists() else []


def unpack(folder):
    for path in sorted(CORPORA.glob("*.txt")):
        into = pathlib.Path(folder) / path.stem
        into.mkdir(parents=True, exist_ok=True)
        for data in inputs(path.stem):
            (into / hashlib.sha1(data).hexdigest()).write_bytes(data)


def add(name, files):
    lines = {base64.b64encode(data).decode() for data in inputs(name)}
    lines |= {base64.b64encode(pathlib.Path(file).read_bytes()).decode() for file in files}
    CORPORA.mkdir(exist_ok=True)
    (CORPORA / f"{name}.txt").write_text("".join(f"{line}\n" for line in sorted(lines)))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "unpack":
        unpack(sys.argv[2])
    elif len(sys.argv) > 3 and sys.argv[1] == "add":
        add(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(__doc__)
