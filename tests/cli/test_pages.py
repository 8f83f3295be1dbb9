"""Commands that write pages."""


def test_params_page_writes_the_page_where_it_is_told(ser, project, tmp_path):
    status, out, _ = ser("params-page", "--out", str(tmp_path / "page.md"))
    assert status == 0
    assert out == f"{tmp_path / 'page.md'}: written\n"
    assert "| `gamma` | `2.0` |" in (tmp_path / "page.md").read_text()
