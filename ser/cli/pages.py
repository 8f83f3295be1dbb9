"""The command that writes the page of params."""

from pathlib import Path
from typing import Annotated

import typer


def params_page(
    out: Annotated[Path, typer.Option("--out", help="The page.")] = Path("docs/params.md"),
) -> None:
    """Write the page that names every setting of params.yaml, from the classes that check them.

    Run it after a change of a param, its default or its docstring.

    Example: ser params-page
    """
    from ser import files
    from ser.workflow import params_page as page

    files.write_text(out, page.text())
    typer.echo(f"{out}: written")
