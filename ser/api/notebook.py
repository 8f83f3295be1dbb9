"""A script in the percent format as a Jupyter notebook: the script is the source, and is tested.

A line `# %%` begins a cell of code, `# %% [markdown]` one of text, as Jupytext, VS Code and
Spyder read them.
"""

import json
import re

_MARK = re.compile(r"^# %%( \[markdown\])?$\n?", re.MULTILINE)


def from_script(script: str) -> str:
    """Return a notebook without outputs, JSON of nbformat 4.5; the same script gives the same one.

    Args:
        script: What stands before the first `# %%` is left out.
    """
    _, *parts = _MARK.split(script)
    cells = [
        _cell(number, content.strip("\n"), is_text=mark is not None)
        for number, (mark, content) in enumerate(zip(parts[::2], parts[1::2], strict=True))
    ]
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(number: int, content: str, *, is_text: bool) -> dict[str, object]:
    if is_text:
        content = re.sub(r"^# ?", "", content, flags=re.MULTILINE)
    return {
        "cell_type": "markdown" if is_text else "code",
        "id": f"cell-{number}",
        "metadata": {},
        **({} if is_text else {"execution_count": None, "outputs": []}),
        "source": content.splitlines(keepends=True),
    }
