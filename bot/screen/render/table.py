"""Tables for narrow screens."""

from typing import Final, Literal, TypeAlias

from markdown_it.rules_block.table import escapedSplit

WIDTH: Final = 36
"""Columns of a code block a phone shows without wrapping."""

Align: TypeAlias = Literal["l", "c", "r"]


def cells(row: str) -> list[str]:
    """The cells of a table row as the parser cuts them, before it drops those that have no header."""
    found = escapedSplit(row.lstrip("> \t").rstrip())
    return found[found[0] == "" : len(found) - (found[-1] == "")]


def grid(rows: list[list[str]], aligns: list[Align]) -> str:
    """The rows in aligned columns under a ruled header; empty if a phone would have to wrap them."""
    from prettytable import HRuleStyle, PrettyTable, VRuleStyle

    columns = max(map(len, rows))
    table = PrettyTable(header=False, align="l", padding_width=0, right_padding_width=1)
    table.hrules, table.vrules = HRuleStyle.FRAME, VRuleStyle.NONE
    table.horizontal_char = table.junction_char = "─"
    table.add_rows([row + [""] * (columns - len(row)) for row in rows])
    for name, align in zip(table.field_names, aligns, strict=False):
        table.align[name] = align
    rule, header, *body, _ = (line[1:].rstrip() for line in table.get_string().split("\n"))
    rule = rule[:-2]
    return "\n".join([header, rule, *body]) if len(rule) <= WIDTH else ""
