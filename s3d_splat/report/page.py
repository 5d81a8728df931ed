"""The frame of a report: a whole page that opens offline, sections, tables, charts; and the one place of its style."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib import resources

from s3d_splat.report.script import SCRIPT


def page(title: str, body: str) -> str:
    """A complete HTML page; `title` is escaped text, `body` is HTML."""
    style = resources.files("s3d_splat.report").joinpath("style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        f'<dialog id="enlarged"><img alt=""><p></p></dialog>\n<script>{SCRIPT}</script>\n</body>\n</html>\n'
    )


def contents(sections: Sequence[tuple[str, str]]) -> str:
    """Links to sections, given as (anchor, title)."""
    links = "".join(f'<a href="#{anchor}">{label}</a>' for anchor, label in sections)
    return f"<nav>{links}</nav>"


def section(anchor: str, title: str, content: str) -> str:
    """A part of the page with its heading."""
    return f'<section id="{anchor}"><h2>{title}</h2>{content}</section>'


def remarks(lines: Sequence[str]) -> str:
    """Things that the reader must know, as a list that stands out; nothing for no lines."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="remarks">{items}</ul>' if lines else ""


def facts(values: dict[str, str]) -> str:
    """Names and values, one pair a line."""
    rows = "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>" for key, value in values.items())
    return f'<dl class="facts">{rows}</dl>'


def table_head(*columns: tuple[str, str]) -> str:
    """The head of a table; columns are (name, CSS classes): "n" for numbers, "wide" for what small screens leave out."""
    cells = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in columns)
    return f"<thead><tr>{cells}</tr></thead>"


def sortable(head: str, rows: Sequence[str]) -> str:
    """A table that scrolls sideways on small screens and sorts on a click."""
    return f'<div class="scroll" tabindex="0"><table class="sortable">{head}<tbody>{"".join(rows)}</tbody></table></div>'


def chart_grid(charts: Sequence[tuple[str, str, str]]) -> str:
    """Charts side by side, as (title, remark, SVG): titles and remarks are escaped here, the SVG is taken as it is."""
    figures = "".join(
        f'<figure><figcaption><b>{escape(title)}</b> <span class="soft">{escape(remark)}</span></figcaption>{svg}</figure>'
        for title, remark, svg in charts
    )
    return f'<div class="charts">{figures}</div>' if charts else ""
