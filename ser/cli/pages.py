"""The commands that write pages."""

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


def api_page(
    docs: Annotated[Path, typer.Option("--docs", help="Folder of the pages.")] = Path("docs"),
) -> None:
    """Write the reference of the Python API, and the notebooks of its examples.

    Run it after a change of a docstring of the API, or of a script in docs/examples/.

    Example: ser api-page
    """
    from ser import files
    from ser.api import notebook, reference

    written = {docs / "api-reference.md": reference.text()}
    for script in sorted((docs / "examples").glob("*.py")):
        written[script.with_suffix(".ipynb")] = notebook.from_script(files.read_text(script))
    for path, content in written.items():
        files.write_text(path, content)
        typer.echo(f"{path}: written")
