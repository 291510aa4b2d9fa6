"""Turns what a terminal shows into a picture: reads text with colours (tmux capture-pane -e) and writes SVG."""

import html
import re
import sys

CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18, 14
BACKGROUND, FOREGROUND = "#16181d", "#d7dae0"
COLOURS = {30: "#5c6370", 31: "#e06c75", 32: "#98c379", 33: "#e5c07b", 34: "#61afef", 35: "#c678dd", 36: "#56b6c2", 37: "#d7dae0"}


def runs(line):
    """The parts of a line that look alike: text, column, style."""
    style, column = {}, 0
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            for code in [int(number or 0) for number in part[2:-1].split(";")]:
                if code == 0:
                    style = {}
                elif code == 1:
                    style = {**style, "font-weight": "bold"}
                elif code == 2:
                    style = {**style, "opacity": "0.6"}
                elif code == 39:
                    style = {key: value for key, value in style.items() if key != "fill"}
                elif code in COLOURS or code - 60 in COLOURS:
                    style = {**style, "fill": COLOURS[code if code in COLOURS else code - 60]}
        elif part:
            yield part, column, style
            column += len(part)


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    columns = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines)
    width, height = columns * CELL_WIDTH + 2 * MARGIN, len(lines) * CELL_HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"')
    print('    font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14">')
    print(f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>')
    print(f'<g fill="{FOREGROUND}" xml:space="preserve">')
    for row, line in enumerate(lines):
        for text, column, style in runs(line):
            if not text.strip():
                continue
            attributes = "".join(f' {key}="{value}"' for key, value in style.items())
            x, y = MARGIN + column * CELL_WIDTH, MARGIN + (row + 0.75) * CELL_HEIGHT
            print(
                f'<text x="{x:g}" y="{y:g}" textLength="{len(text) * CELL_WIDTH:g}" lengthAdjust="spacingAndGlyphs"'
                f"{attributes}>{html.escape(text)}</text>"
            )
    print("</g>\n</svg>")


main()
