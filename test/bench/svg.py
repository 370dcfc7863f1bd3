"""A bar chart as SVG text."""

from dataclasses import dataclass
from html import escape

WIDTH, LABEL, VALUE, HEIGHT, GAP, TOP = 820, 330, 70, 26, 10, 50  # pixels
OURS, OTHERS = "#2b6cb0", "#a0aec0"


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    text: str
    ours: bool


def bars(title: str, chosen: list[Bar]) -> str:
    most = max(bar.value for bar in chosen)
    height = TOP + len(chosen) * (HEIGHT + GAP) + GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="14">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{GAP}" y="28" font-size="17" font-weight="bold">{escape(title)}</text>',
    ]
    for n, bar in enumerate(chosen):
        y = TOP + n * (HEIGHT + GAP)
        length = (WIDTH - LABEL - VALUE - GAP) * bar.value / most
        middle = y + HEIGHT / 2 + 5
        lines += [
            f'<text x="{LABEL - GAP}" y="{middle}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{HEIGHT}" fill="{OURS if bar.ours else OTHERS}"/>',
            f'<text x="{LABEL + length + 6:.1f}" y="{middle}">{escape(bar.text)}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])
