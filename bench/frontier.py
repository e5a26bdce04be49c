"""Draws what archivers make of a tree: ratio over speed, as SVG. Up and to the right is better."""

import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 400, 60, 110, 50, 50
COLOURS = {True: "#0b6e4f", False: "#8a3b12"}  # ours, others


def steps(low, high):
    """Round numbers of a logarithmic axis: 1, 2, 5, 10, ..."""
    power = 10 ** math.floor(math.log10(low))
    while power <= high:
        for factor in (1, 2, 5):
            if low <= power * factor <= high:
                yield power * factor
        power *= 10


def frontier(points):
    """Those that no other beats in both, from the slowest on."""
    best, found = 0, []
    for point in sorted(points, key=lambda point: (-point[1], -point[2])):
        if point[2] > best:
            best = point[2]
            found.append(point)
    return found[::-1]


def panel(points, top, title):
    """One diagram of points (name, MB/s, ratio), as lines of SVG."""
    speeds, ratios = [point[1] for point in points], [point[2] for point in points]
    low, high = min(speeds) / 1.3, max(speeds) * 1.3
    least, most = min(ratios) * 0.97, max(ratios) * 1.03

    def x(speed):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(speed / low) / math.log(high / low)

    def y(ratio):
        return top + HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (ratio - least) / (most - least)

    yield f'<text x="{LEFT}" y="{top + TOP - 20}" font-weight="bold">{html.escape(title)}</text>'
    for speed in steps(low, high):
        yield (f'<path d="M{x(speed):.1f} {top + TOP}V{top + HEIGHT - BOTTOM}" stroke="#ddd"/>'
               f'<text x="{x(speed):.1f}" y="{top + HEIGHT - BOTTOM + 18}" text-anchor="middle">{speed:g}</text>')
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{top + HEIGHT - 12}" text-anchor="middle">MB/s (logarithmic)</text>'
    for i in range(6):
        ratio = least + (most - least) * i / 5
        yield (f'<path d="M{LEFT} {y(ratio):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
               f'<text x="{LEFT - 8}" y="{y(ratio) + 4:.1f}" text-anchor="end">{ratio:.2f}</text>')
    for ours in (False, True):
        of_one = [point for point in points if point[0].startswith("mmh-") == ours]
        line = " ".join(f"{x(speed):.1f},{y(ratio):.1f}" for _, speed, ratio in frontier(of_one))
        yield f'<polyline points="{line}" fill="none" stroke="{COLOURS[ours]}" stroke-dasharray="{"" if ours else "5 4"}"/>'
        for name, speed, ratio in of_one:
            yield (f'<circle cx="{x(speed):.1f}" cy="{y(ratio):.1f}" r="4" fill="{COLOURS[ours]}"/>'
                   f'<text x="{x(speed) + 7:.1f}" y="{y(ratio) + 4:.1f}" fill="{COLOURS[ours]}">{html.escape(name)}</text>')


def draw(title, rows):
    """SVG of rows (name, ratio, MB/s of packing, MB/s of unpacking)."""
    lines = []
    for number, (what, place) in enumerate((("packing", 2), ("unpacking", 3))):
        points = [(row[0], row[place], row[1]) for row in rows]
        lines += panel(points, number * HEIGHT, f"{title}: ratio over speed of {what}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {2 * HEIGHT}" font-family="sans-serif" font-size="12">\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(lines) + "\n</svg>\n")
