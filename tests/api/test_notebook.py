"""Notebooks are made from scripts, and are those that are committed."""

import ast
import json

import pytest

from ser.api import notebook

SCRIPT = '''"""Left out."""

# %% [markdown]
# # Title
#
# Some text.

# %%
import ser

print(ser)
'''


def test_cells_are_those_of_the_script():
    made = json.loads(notebook.from_script(SCRIPT))
    text, code = made["cells"]
    assert (text["cell_type"], "".join(text["source"])) == ("markdown", "# Title\n\nSome text.")
    assert (code["cell_type"], "".join(code["source"])) == ("code", "import ser\n\nprint(ser)")
    assert (code["outputs"], code["execution_count"]) == ([], None)
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    assert text["id"] != code["id"]


def test_the_notebooks_are_made_from_their_scripts_and_there_are_no_others(project):
    folder = project / "docs" / "examples"
    scripts = sorted(folder.glob("*.py"))
    assert scripts
    assert sorted(project.glob("docs/**/*.ipynb")) == [p.with_suffix(".ipynb") for p in scripts]
    for script in scripts:
        made = notebook.from_script(script.read_text("utf-8"))
        assert script.with_suffix(".ipynb").read_text("utf-8") == made, "run `ser api-page`"


@pytest.mark.parametrize("name", ["ask_and_read"])
def test_the_cells_hold_all_the_code_of_the_script(project, name):
    path = project / "docs" / "examples" / f"{name}.py"
    cells = json.loads(path.with_suffix(".ipynb").read_text("utf-8"))["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    whole = ast.parse(path.read_text("utf-8"))
    assert ast.dump(ast.parse(code)) == ast.dump(ast.Module(whole.body[1:], type_ignores=[]))
