"""Copies the inputs worth keeping from libFuzzer's merge: each reaches at least six edges that no other kept input reaches.

Inputs of the corpus that have names, instead of the digests that libFuzzer gives, show a rule and are always kept.

Usage: minimise-corpus.py CONTROL-FILE CORPUS FOLDER
"""

import re
import shutil
import sys
from pathlib import Path

LEAST_EDGES = 6

control, corpus, folder = sys.argv[1:]
for file in Path(corpus).iterdir():
    if not re.fullmatch("[0-9a-f]{40}", file.name):
        shutil.copy(file, folder)
lines = Path(control).read_text().splitlines()
count = int(lines[0])
files = lines[2 : 2 + count]
sizes, edges = {}, {}
for line in lines[2 + count :]:
    kind, index, *numbers = line.split()
    if kind == "STARTED":
        sizes[int(index)] = int(numbers[0])
    elif kind == "COV":
        edges[int(index)] = set(numbers)

reached = set()
while edges:
    best = max(edges, key=lambda index: (len(edges[index] - reached), -sizes[index]))
    gained = edges.pop(best) - reached
    if len(gained) < LEAST_EDGES:
        break
    reached |= gained
    shutil.copy(files[best], folder)
