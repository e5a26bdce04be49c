#!/usr/bin/env python3
"""Runs clang-tidy on our sources, in parallel, and passes over those that passed before in the same form.

usage: tidy.py BUILD [FILE...]

BUILD holds clang's compile_commands.json. Without files: everything of src/ and fuzz/. What passed is remembered in BUILD/tidy by
a hash of the configuration and of the preprocessed source with its comments (NOLINT is one), so headers count too.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

TIDY, CLANG = 'clang-tidy-19', 'clang++-19'
TREE = pathlib.Path(__file__).resolve().parents[1]


def cache_key(entry):
    arguments = shlex.split(entry['command'])
    arguments = arguments[next(i for i, a in enumerate(arguments) if a.startswith('-')):]  # the compiler, its launcher
    at = arguments.index('-o')
    arguments = arguments[:at] + arguments[at + 2:]
    arguments.remove('-c')
    run = subprocess.run([CLANG, '-E', '-C', '-w', *arguments], cwd=entry['directory'], capture_output=True, check=True)
    return hashlib.sha256((TREE / '.clang-tidy').read_bytes() + run.stdout).hexdigest()


def check(entry, build, cache):
    """What clang-tidy says about one file; empty when all is well."""
    try:
        passed = cache / cache_key(entry)
    except subprocess.CalledProcessError as error:
        return error.stderr.decode(errors='replace')
    if passed.exists():
        return ''
    run = subprocess.run([TIDY, '--quiet', '-p', build, entry['file']], capture_output=True, text=True, check=False)
    if run.returncode == 0:
        passed.touch()
        return ''
    return run.stdout + '\n'.join(l for l in run.stderr.splitlines() if not l.endswith(' generated.'))


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    wanted = {str(pathlib.Path(name).resolve()) for name in sys.argv[2:]}
    entries = {}
    for entry in json.loads((build / 'compile_commands.json').read_text()):
        path = pathlib.Path(entry['file'])
        ours = path.is_relative_to(TREE / 'src') or path.is_relative_to(TREE / 'fuzz')
        if str(path) in wanted or (not wanted and ours):
            entries[str(path)] = entry
    cache = build / 'tidy'
    cache.mkdir(exist_ok=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for said in pool.map(lambda name: check(entries[name], build, cache), sorted(entries)):
            if said:
                failed += 1
                print(said)
    print(f'clang-tidy: {len(entries)} files, {failed} with findings')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
