"""The text of rules, for `seedbed.torch` and `seedbed.keras`."""

from __future__ import annotations

import os


def text_of(rules: str | os.PathLike[str] | None) -> str | None:
    """The text of rules that a caller gives as the text itself, or as the path of a TOML file.

    A str is a path if it is one line that ends in .toml.
    """
    if rules is None:
        return None
    is_path = not isinstance(rules, str) or ("\n" not in rules and rules.endswith(".toml"))
    if not is_path:
        return rules
    with open(rules, encoding="utf-8") as file:
        return file.read()
