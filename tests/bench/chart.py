"""A chart of a comparison, as SVG that is readable on light and on dark pages. Bars have a logarithmic scale."""

import math
from html import escape

from .comparison import CASES, Comparison
from .subjects import ANY_DIALECT, SUBJECTS

_WIDTH, _LEFT, _RIGHT = 860, 130, 60
_BAR, _GAP, _CASE_GAP, _HEADING = 12, 3, 26, 40
_COLORS = dict(zip(SUBJECTS, ("#2f81f7", "#3fa45b", "#d08a1d", "#b06fd8", "#d9534f"), strict=True))
_STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #24292f }
.heading { font-size: 15px; font-weight: 600 }
.case { font-weight: 600 }
@media (prefers-color-scheme: dark) { text { fill: #d0d7de } }"""


def chart(found: Comparison) -> str:
    """Return the chart: for each dialect and case the CPU of each subject, in microseconds."""
    costs = [figures.cpu_us for by_name in found.values() for figures in by_name.values()]
    least = math.log10(min(costs)) - 0.3
    scale = (_WIDTH - _LEFT - _RIGHT) / (math.log10(max(costs)) - least)
    parts, y = [_text(0, 18, "CPU time, microseconds (logarithmic; shorter is better)", "heading")], _HEADING
    for dialect in ANY_DIALECT:
        for case in CASES:
            by_name = found.get((dialect, case), {})
            what = "" if "opened" in case else ", an echo"
            parts.append(_text(0, y + _BAR, f"{dialect}: {case}{what}", "case"))
            y += _BAR + 2 * _GAP
            for name, figures in sorted(by_name.items(), key=lambda each: each[1].cpu_us):
                length = (math.log10(figures.cpu_us) - least) * scale
                parts.append(_text(_LEFT - 8, y + _BAR - 2, name, "", end=True))
                parts.append(
                    f'<rect x="{_LEFT}" y="{y}" width="{length:.0f}" height="{_BAR}" rx="2" fill="{_COLORS[name]}"/>'
                )
                parts.append(_text(_LEFT + round(length) + 6, y + _BAR - 2, _spelled(figures.cpu_us)))
                y += _BAR + _GAP
            y += _CASE_GAP - _BAR
    size = f'viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}"'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>\n{_STYLE}\n</style>\n{body}\n</svg>\n'


def _text(x: int, y: int, text: str, kind: str = "", end: bool = False) -> str:
    attributes = (f' class="{kind}"' if kind else "") + (' text-anchor="end"' if end else "")
    return f'<text x="{x}" y="{y}"{attributes}>{escape(text)}</text>'


def _spelled(us: float) -> str:
    return f"{us:.2f}" if us < 10 else f"{us:.1f}" if us < 100 else f"{us:.0f}"
