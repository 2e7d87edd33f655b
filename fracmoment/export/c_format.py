"""C: a header of static tables and a function that finds a row, for C99 and for C++."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fracmoment.export.description import head
from fracmoment.export.records import records

if TYPE_CHECKING:
    from fracmoment.export.table import ConstantTable

__all__ = ["check_prefix", "render"]

DEFAULT_PREFIX = "fracmoment"
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}", re.ASCII)

_TYPES = {
    "activation": "const char *",
    "fan_in": "long long ",
    "fan_out": "long long ",
    "order": "double ",
    "order_exact": "const char *",
}

# C++ has hexadecimal floating constants since 2017; the decimal ones are the same numbers.
_START = """\
#ifndef {guard}
#define {guard}

#include <stddef.h>
#include <string.h>

#if defined(__cplusplus) && __cplusplus < 201703L
#define {upper}_DOUBLE(hexadecimal, decimal) decimal
#else
#define {upper}_DOUBLE(hexadecimal, decimal) hexadecimal
#endif

typedef struct {prefix}_constant {{
{members}
}} {prefix}_constant;

static const {prefix}_constant {prefix}_constants[] = {{
"""
_END = """\
}};

#undef {upper}_DOUBLE

enum {{ {upper}_COUNT = {count} }};

/* The constant of an activation ({examples}), a layer and an order; NULL if the
   table has none. */
static inline const {prefix}_constant *{prefix}_find(const char *activation, long long fan_in,
                                                     long long fan_out, double order)
{{
    size_t i;
    for (i = 0; i < {upper}_COUNT; i++) {{
        const {prefix}_constant *row = &{prefix}_constants[i];
        if (row->fan_in == fan_in && row->fan_out == fan_out && row->order == order
            && strcmp(row->activation, activation) == 0) {{
            return row;
        }}
    }}
    return NULL;
}}

#endif
"""


def render(table: ConstantTable, *, prefix: str = DEFAULT_PREFIX) -> str:
    """Return a table as a C header whose names begin with a prefix.

    Raises
    ------
    ValueError
        If the prefix is no beginning of a name in C.
    """
    check_prefix(prefix)
    rows = records(table)
    upper = prefix.upper()
    names = {
        "prefix": prefix,
        "upper": upper,
        "guard": f"{upper}_CONSTANTS_H",
        "count": len(rows),
        "examples": f'"{rows[0]["activation"]}"',
        "members": "\n".join(f"    {_type(name)}{name};" for name in rows[0]),
    }
    lines = [f"   {line}" for line in head(table, 75)]
    comment = "/* " + "\n".join(lines).lstrip() + " */\n\n"
    body = "".join(_row(upper, row) for row in rows)
    return comment + _START.format(**names) + body + _END.format(**names)


def check_prefix(prefix: str) -> str:
    """Return the beginning of names in C, if it can be one."""
    if not _PREFIX.fullmatch(prefix):
        message = (
            "prefix must be a name in C: a letter, then at most 39 letters, digits and"
            f" underscores; got {prefix[:60]!r}"
        )
        raise ValueError(message)
    return prefix


def _type(name: str) -> str:
    if name in _TYPES:
        return _TYPES[name]
    return "const char *" if name.endswith("_decimal") else "double "


def _row(upper: str, row: dict[str, Any]) -> str:
    """Return the initializer of a row: what identifies it, then a line a number."""
    literals = [_literal(upper, value) for value in row.values()]
    first = len(_TYPES)
    lines = [", ".join(literals[:first]), *literals[first:]]
    return "    {" + ",\n     ".join(lines) + "},\n"


def _literal(upper: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{upper}_DOUBLE({value.hex()}, {value!r})"
    return f'"{value}"' if isinstance(value, str) else str(value)
