"""Commands that write pages."""


def test_params_page_writes_the_page_where_it_is_told(ser, project, tmp_path):
    status, out, _ = ser("params-page", "--out", str(tmp_path / "page.md"))
    assert status == 0
    assert out == f"{tmp_path / 'page.md'}: written\n"
    assert "| `gamma` | `2.0` |" in (tmp_path / "page.md").read_text()


def test_api_page_writes_the_reference_and_the_notebooks_beside_their_scripts(ser, project):
    examples = project / "docs" / "examples"
    examples.mkdir(parents=True)
    (examples / "one.py").write_text("# %%\nimport ser\n")
    status, out, _ = ser("api-page")
    assert status == 0
    assert out == "docs/api-reference.md: written\ndocs/examples/one.ipynb: written\n"
    assert "## ser.load" in (project / "docs" / "api-reference.md").read_text()
    assert '"import ser"' in (examples / "one.ipynb").read_text()
