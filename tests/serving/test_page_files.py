import re
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from ser.serving import page_files, server
from tests.serving import stand_in


@pytest.fixture(scope="module")
def client():
    return TestClient(stand_in.application(), raise_server_exceptions=False)


def files():
    return sorted(page_files.FOLDER.iterdir())


def test_the_page_and_its_files_are_shown(client):
    response = client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    linked = set(re.findall(r'(?:src|href)="(page/[^"]+)"', response.text))
    assert {"page/app.js", "page/page.css", "page/icon.svg"} <= linked
    for script in ("app.js", "microphone.js"):
        text = client.get(f"/page/{script}").text
        linked |= {f"page/{name}" for name in re.findall(r'"(?:\./)?([a-z]+\.js)"', text)}
    assert "page/recorder.js" in linked
    kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    for place in linked:
        response = client.get(f"/{place}")
        assert response.status_code == 200, place
        assert response.headers["content-type"].startswith(kinds[place.rpartition(".")[2]])


def test_every_file_of_the_folder_is_shown_and_no_other(client):
    shown = {name for name in (path.name for path in files()) if not name.endswith(".j2")}
    shown -= {"index.html"}
    assert shown == set(page_files._TYPES)
    for name in ("none.js", "../server.py", "..%2fserver.py", "docs.html.j2"):
        assert client.get(f"/page/{name}").status_code == 404


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_nothing_of_the_page_is_of_another_place(path):
    text = path.read_text(encoding="utf-8")
    # The name of a format, which no browser asks for.
    text = text.replace('"http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|[\"'(]//|@import|sourceMappingURL", text)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_nothing_of_the_page_needs_a_weaker_policy(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:|\beval\(|innerHTML", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)


@pytest.mark.parametrize("place", ["/", "/page/app.js", "/docs", "/openapi.json", "/none"])
def test_every_answer_has_the_strict_policy(client, place):
    headers = client.get(place).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["permissions-policy"].startswith("microphone=(self)")


def test_refusals_have_it_too(client):
    response = client.post("/predict", content=b"", headers={"content-type": "text/plain"})
    assert response.status_code == 415
    assert "content-security-policy" in response.headers


def test_a_model_of_others_has_mlflows_routes_and_no_page():
    model = SimpleNamespace(
        metadata=SimpleNamespace(get_input_schema=lambda: None),
        unwrap_python_model=lambda: object(),
    )
    client = TestClient(server.application(model), raise_server_exceptions=False)
    assert [client.get(place).status_code for place in ("/ping", "/health", "/version")] == [
        200
    ] * 3
    assert [client.get(place).status_code for place in ("/", "/docs", "/redoc")] == [404] * 3
    headers = {"content-type": "audio/wav"}
    assert client.post("/predict", content=b"x", headers=headers).status_code == 415


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    """As WCAG 2 defines it, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def themes():
    """The colours of the light page and of the dark one."""
    text = (page_files.FOLDER / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    return [dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block)) for block in blocks]


def test_the_contrast_is_counted_as_wcag_does():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_graphics_have_the_contrast_of_level_aa(theme):
    colours = themes()[theme]
    texts = [
        *(("text", ground) for ground in ("ground", "card", "accent-soft")),
        *(("soft", ground) for ground in ("ground", "card", "accent-soft", "track")),
        *(("accent", ground) for ground in ("ground", "card")),
        *(("on-accent", "accent"), ("bad", "bad-soft"), ("warn", "warn-soft"), ("card", "live")),
    ]
    graphics = [(name, "card") for name in (*(f"e{k}" for k in range(10)), "wave", "live")]
    for least, pairs in ((4.5, texts), (3.0, graphics)):
        found = {pair: contrast(*(colours[name] for name in pair)) for pair in pairs}
        assert {pair: value for pair, value in found.items() if value < least} == {}
