"""A schema as text: where one column ends and the next begins."""

from __future__ import annotations

from tinymagic.sqltext import tokens


def split_columns(schema: str) -> list[str]:
    """Cut a schema at the commas between columns; comments are taken out.

    Example:
        >>> split_columns("a Decimal(9, 2) `json:$.a`, b Enum8('x,y' = 1) DEFAULT 'x,y'")
        ['a Decimal(9, 2) `json:$.a`', "b Enum8('x,y' = 1) DEFAULT 'x,y'"]
    """
    pieces, depth = [""], 0
    for token in tokens(schema):
        if token.kind == "comment":
            continue
        if token.kind == "symbol":
            depth += (token.text in "([{") - (token.text in ")]}")
        if token.text == "," and depth <= 0:
            pieces.append("")
        else:
            pieces[-1] += " " if token.kind == "space" else token.text
    return [piece.strip() for piece in pieces if piece.strip()]
