#!/usr/bin/env python3
"""Checks that every #include of one of our headers keeps to the layers.

usage: check_includes.py TREE LAYERS

LAYERS is build/PRESET/layers.txt, which CMake writes: "NAME USED..." per line. PUBLIC links let a layer see the headers
of everything below it, declared or not, so the compiler does not notice. The rules:
  src/X        may include mmh/Y/... where X names Y under USES, itself or through what it uses, and its own headers
  src/cli      may include public headers (mmh/NAME.h) and its own only: it does nothing that a library user cannot
  src/api      may include public headers as well; no lower layer may
  include/mmh  may include public headers and mmh/base/...
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^">]+)[">]', re.M)


def reachable(uses, layer):
    found, todo = {layer}, [layer]
    while todo:
        for used in uses[todo.pop()]:
            if used not in found:
                found.add(used)
                todo.append(used)
    return found


def refusal(owner, folder, path, target, allowed, tree):
    """Why `path` in the folder of `owner` (a layer, or "include") may not include `target`; None where it may."""
    if '..' in pathlib.PurePosixPath(target).parts:
        if (path.parent / target).resolve().is_relative_to(folder.resolve()):
            return None
        return 'leaves the folder of its layer; include by the path below an include root'
    if not target.startswith('mmh/'):
        return None
    parts = target.split('/')
    if len(parts) == 2:
        if owner in ('api', 'cli', 'include'):
            return None if (tree / 'include' / target).is_file() else 'is no public header'
        return 'is a public header, which stands above every layer'
    layer = parts[1]
    if owner == 'include':
        return None if layer == 'base' else 'is not public; a public header may include mmh/base/ only'
    if owner == 'cli':
        return None if layer == 'cli' else 'is not public; the command line uses include/mmh/ only'
    return None if layer in allowed else f'belongs to a layer that {owner} does not use (USES in its CMakeLists.txt)'


def main():
    tree = pathlib.Path(sys.argv[1])
    lines = pathlib.Path(sys.argv[2]).read_text().splitlines()
    uses = {words[0]: words[1:] for words in (line.split() for line in lines)}
    owners = {layer: tree / 'src' / layer for layer in uses}
    owners['include'] = tree / 'include'
    problems, files = [], 0
    for owner, folder in owners.items():
        allowed = reachable(uses, owner) if owner in uses else set()
        for path in sorted(folder.rglob('*')):
            if path.suffix not in ('.h', '.cc') or not path.is_file():
                continue
            files += 1
            text = path.read_text(encoding='utf-8')
            for match in INCLUDE.finditer(text):
                why = refusal(owner, folder, path, match[1], allowed, tree)
                if why:
                    line = text.count('\n', 0, match.start()) + 1
                    problems.append(f'{path.relative_to(tree)}:{line}: {match[1]} {why}')
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f'{files} files, {len(problems)} includes refused')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
