#!/usr/bin/env python3
"""Runs the include check over a small tree that breaks every rule once, and compares what it says."""

import pathlib
import subprocess
import sys
import tempfile

CHECK = pathlib.Path(__file__).parents[2] / 'tools' / 'check_includes.py'
LAYERS = 'base\nhash base\ntree base\napi hash tree\ncli api\n'
FILES = {
    'include/mmh/pack.h': ['"mmh/base/result.h"', '"mmh/hash/digest.h"'],
    'src/api/pack.cc': ['"mmh/pack.h"', '"mmh/base/result.h"', '"mmh/hash/digest.h"'],
    'src/base/result.cc': ['<mmh/hash/digest.h>'],
    'src/cli/main.cc': ['"mmh/pack.h"', '"mmh/base/result.h"', '"mmh/cli/table.h"', '"mmh/missing.h"'],
    'src/hash/digest.cc': ['<string>', '"../base/secret.h"', '"mmh/base/result.h"', '"mmh/hash/digest.h"',
                           '"mmh/pack.h"', '"mmh/tree/walk.h"'],
    'src/tree/tar/read.cc': ['"mmh/base/result.h"', '"../owners.h"'],
}
EXPECTED = [
    'include/mmh/pack.h:2: mmh/hash/digest.h',
    'src/base/result.cc:1: mmh/hash/digest.h',
    'src/cli/main.cc:2: mmh/base/result.h',
    'src/cli/main.cc:4: mmh/missing.h',
    'src/hash/digest.cc:2: ../base/secret.h',
    'src/hash/digest.cc:5: mmh/pack.h',
    'src/hash/digest.cc:6: mmh/tree/walk.h',
]

with tempfile.TemporaryDirectory() as folder:
    tree = pathlib.Path(folder)
    (tree / 'layers.txt').write_text(LAYERS)
    for name, includes in FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(f'#include {included}\n' for included in includes))
    run = subprocess.run([sys.executable, CHECK, tree, tree / 'layers.txt'], capture_output=True, text=True, check=False)
    said = sorted(' '.join(line.split(' ')[:2]) for line in run.stderr.splitlines())
    if run.returncode != 1 or said != EXPECTED:
        sys.exit(f'status {run.returncode}\n{run.stderr}')
    print(run.stdout, end='')
