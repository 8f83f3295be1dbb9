import json
import re
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
from playwright.sync_api import expect

from ser.serving.audio_input import InputLimits
from tests.serving import browser, stand_in
from tests.serving.support import RATE, encoded, speech

pytestmark = pytest.mark.stage

#: A browser that has to share its processor takes long, and is not wrong.
_PATIENCE_MS = 90_000
expect.set_options(timeout=_PATIENCE_MS)

#: What the microphone hears, in Hz.
PITCH_HZ = 440.0
SIZES = {"desktop": (1100, 900), "phone": (390, 844)}
#: In the page: lets go of a file over the field.
DROP = """
([bytes, name, type]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type }));
  for (const kind of ["dragover", "drop"]) {
    const event = new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
    document.getElementById("drop").dispatchEvent(event);
  }
}
"""

#: In the page: notes that the field for a file was activated, and keeps the dialogue shut.
ASKED = """
() => document.getElementById("file").addEventListener("click", (event) => {
  window.asked = event.isTrusted;
  event.preventDefault();
})
"""

#: In the page: where labels begin and end.
WHERE = "all => all.map((e) => e.getBoundingClientRect()).map((r) => [r.left, r.right])"

#: Format -> what its link says, and the ending of its file.
SAVED = {
    "csv": ("CSV", "csv"),
    "json": ("JSON", "json"),
    "rttm": ("RTTM", "rttm"),
    "audacity": ("Audacity labels", "txt"),
}

#: In the page: waits until a recording can be heard.
PLAYABLE = """
(player) => player.readyState > 0
  || new Promise((resolve) => { player.onloadedmetadata = resolve; })
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browser.executable()  # skips before anything is made
    wav = tmp_path_factory.mktemp("microphone") / "tone.wav"
    time = np.arange(10 * RATE) / RATE
    wav.write_bytes(encoded(0.4 * np.sin(2 * np.pi * PITCH_HZ * time)))
    with browser.started(wav) as found:
        yield found


@contextmanager
def opened(chromium, *, size="desktop", allowed=True, host=None, server=None, **settings):
    """The page of a server with a stand-in; it must neither complain nor ask elsewhere."""
    width, height = SIZES[size]
    app = server or stand_in.application()
    with stand_in.listening(app) as url:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            permissions=["microphone"] if allowed else [],
            **settings,
        )
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text))
        place = url.replace("127.0.0.1", host) if host else url
        page.goto(place)
        expect(page.locator("#limit")).not_to_be_empty()
        try:
            yield page
        finally:
            context.close()
    elsewhere = [one for one in asked if not one.startswith((place, f"blob:{place}"))]
    assert elsewhere == []
    # There a browser tells of refusals, and of what would break the policy.
    assert [c for c in complaints if not c.startswith("Failed to load resource")] == []


def drop(page, content, name="a.wav", kind="audio/wav"):
    page.evaluate(DROP, [list(content), name, kind])


def verdict(page):
    """Wait for an answer; give what it says."""
    page.wait_for_selector("#answer:not([hidden])")
    return page.text_content("#verdict"), page.text_content("#verdict-more")


def error(page):
    """Wait for what went wrong; give it."""
    page.wait_for_selector("#error:not(:empty)")
    assert page.get_attribute("#error", "role") == "alert"
    return page.text_content("#error")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_dropped_file_is_answered(chromium, size, scheme):
    with opened(chromium, size=size, color_scheme=scheme) as page:
        drop(page, encoded(speech(6.0)))
        assert verdict(page) == ("happy", "with a probability of 70 %")
        assert page.locator("#bars li").all_inner_texts()[1].split() == ["happy", "70", "%"]
        widths = page.eval_on_selector_all(
            "#bars .fill", "fills => fills.map((f) => parseFloat(f.style.width))"
        )
        assert widths == [10, 70, 15, 5]
        assert page.locator("#chart .wave").count() == 1
        assert page.locator("#chart rect.c1").count() == 2  # segments
        names = page.locator("#chart text:not(.tick)").all_text_contents()
        assert names == ["happy", "sad"]
        assert page.is_hidden("#synthetic")
        expect(page.locator("#verdict")).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        is_dark = max(int(number) for number in re.findall(r"\d+", ground)) < 128
        assert is_dark == (scheme == "dark")


def long_recording():
    """Eighteen seconds, of which two are silence; few bytes, since they travel as JSON."""
    rate = 4000
    samples = speech(18.0, rate)
    samples[9 * rate : 11 * rate] *= 0.01
    return encoded(samples, rate)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_a_long_recording_is_shown_in_segments(chromium, size, scheme):
    with opened(chromium, size=size, color_scheme=scheme) as page:
        drop(page, long_recording())
        verdict(page)
        assert page.text_content("#segments-hint") == "(6 segments)"
        rows = [row.split("\t") for row in page.locator("#table tr").all_inner_texts()]
        assert [row[1] for row in rows] == [
            *("Emotion", "happy", "sad", "not sure", "no speech", "not sure", "unlike training"),
        ]
        assert set(rows[4][2:]) == {"\N{EN DASH}"}
        times = [row[0].removesuffix(" s").split(" to ") for row in rows[1:]]
        assert [end for _, end in times[:-1]] == [start for start, _ in times[1:]]
        assert (times[0][0], times[-1][1]) == ("0.0", "18.0")
        assert page.locator("#chart rect.c1").count() == 5  # none where nobody speaks
        assert page.locator("#chart rect.none").count() == 4  # nor an emotion in four
        said = page.get_attribute("#chart svg", "aria-label")
        assert f"{times[3][0]} to {times[3][1]} s no speech" in said
        ticks = page.eval_on_selector_all("#chart .tick", WHERE)
        assert all(left[1] <= right[0] for left, right in pairwise(ticks))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_segment_is_played_from_its_beginning_by_the_keyboard(chromium):
    with opened(chromium) as page:
        drop(page, long_recording())
        verdict(page)
        page.locator("#player").evaluate(PLAYABLE)
        page.focus("#table tr:nth-child(3) button")
        page.keyboard.press("Enter")
        start = float(page.inner_text("#table tr:nth-child(3) button").split()[0])
        assert page.evaluate("document.getElementById('player').currentTime") >= start
        page.wait_for_selector("#chart .head[visibility=visible]", state="attached")


def test_segments_are_saved_as_the_server_writes_them(chromium):
    content = long_recording()
    with opened(chromium) as page:
        drop(page, content, name="my talk.take 2.wav")
        verdict(page)
        for name, (link, ending) in SAVED.items():
            with page.expect_download() as started:
                page.get_by_role("link", name=link, exact=True).click()
            assert started.value.suggested_filename == f"my talk.take 2.{ending}"
            saved = started.value.path().read_text(encoding="utf-8")
            query = {"format": name, "name": "my talk.take 2.wav"}
            asked = page.request.post(
                f"{page.url}predict",
                params=query,
                data=content,
                headers={"content-type": "audio/wav"},
            )
            if name == "json":
                whole = asked.json()
                del whole["files"]
                assert json.loads(saved) == whole
            else:
                assert saved == asked.text()


@pytest.mark.parametrize("name", ["a\n\u202e b.wav", "ä" * 300 + ".wav", "\ud800.wav"])
def test_a_file_of_any_name_is_answered(chromium, name):
    with opened(chromium) as page:
        drop(page, encoded(speech()), name=name)
        assert verdict(page)[0] == "happy"


@pytest.mark.parametrize("size", SIZES)
def test_the_microphone_is_heard_and_answered(chromium, size):
    app = stand_in.application()
    with opened(chromium, size=size, server=app) as page:
        page.focus("#record")
        page.keyboard.press("Enter")
        expect(page.locator("#time")).to_have_text("0:02")
        assert page.text_content("#record-label") == "Stop and ask"
        page.keyboard.press("Enter")
        assert verdict(page)[0] == "happy"
        assert page.text_content("#record-label") == "Record"
        assert page.is_hidden("#recording")
        assert page.locator("#chart .wave").count() == 1
        page.locator("#player").evaluate(PLAYABLE)
        assert page.evaluate("document.getElementById('player').duration") > 1.9
    (waveform,) = app.state.stand_in.heard
    assert 1.9 < waveform.duration_s < 8
    spectrum = np.abs(np.fft.rfft(waveform.samples))
    loudest = spectrum.argmax() * waveform.sampling_rate / len(waveform.samples)
    assert loudest == pytest.approx(PITCH_HZ, abs=2)


def test_a_microphone_that_is_refused_is_told_and_files_work_all_the_same(chromium):
    with opened(chromium, allowed=False) as page:
        page.click("#record")
        assert error(page).startswith("The microphone was refused. Allow it")
        drop(page, encoded(speech()))
        assert verdict(page)[0] == "happy"
        assert page.text_content("#error") == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [("NotFoundError", "no microphone"), ("NotReadableError", "in use by another program")],
)
def test_a_microphone_that_cannot_be_used_is_told(chromium, name, said):
    with opened(chromium) as page:
        page.evaluate(
            "name => { navigator.mediaDevices.getUserMedia = async () => { "
            "throw new DOMException('x', name); }; }",
            name,
        )
        page.click("#record")
        assert said in error(page)


def test_a_page_that_is_not_secure_says_why_it_has_no_microphone(chromium):
    with opened(chromium, host=browser.INSECURE) as page:
        assert page.is_disabled("#record")
        assert "only to pages from https or from this machine" in page.text_content("#record-hint")
        drop(page, encoded(speech()))
        assert verdict(page)[0] == "happy"


def test_an_empty_recording_is_not_sent(chromium):
    app = stand_in.application()
    with opened(chromium, server=app) as page:
        # A microphone that gives nothing: its context never runs.
        page.evaluate("AudioContext.prototype.createMediaStreamSource = () => ({ connect() {} })")
        page.click("#record")
        page.wait_for_selector("#record.on")
        page.click("#record")
        assert error(page).startswith("The recording is empty")
    assert app.state.stand_in.heard == []


def test_a_recording_stops_where_the_server_would_refuse_it(chromium):
    app = stand_in.application(limits=InputLimits(max_duration_s=1.0))
    with opened(chromium, server=app) as page:
        page.click("#record")
        assert verdict(page)[0] == "happy"
        assert page.text_content("#status").startswith("Stopped at 0:01: a recording may not be")
    (waveform,) = app.state.stand_in.heard
    assert waveform.duration_s == pytest.approx(1.0)


def test_a_refusal_of_the_server_is_shown_as_it_was_said(chromium):
    with opened(chromium) as page:
        drop(page, encoded(speech()))
        verdict(page)
        drop(page, b"nonsense")
        assert error(page).startswith("The server says: unreadable: not audio")
        assert page.is_hidden("#answer")
        drop(page, b"")
        expect(page.locator("#error")).to_contain_text("the file has 0 bytes")


def test_a_file_that_is_too_large_is_told_before_it_is_sent(chromium):
    app = stand_in.application(limits=InputLimits(max_bytes=2000))
    with opened(chromium, server=app) as page:
        drop(page, encoded(speech()), name="long.wav")
        assert error(page).startswith("long.wav is too large")
    assert app.state.stand_in.heard == []


def test_a_server_that_is_gone_is_told(chromium):
    with opened(chromium) as page:
        page.route("**/predict?*", lambda route: route.abort())
        drop(page, encoded(speech()))
        assert error(page).startswith("The server does not answer")
        page.unroute("**/predict?*")
        page.route("**/predict?*", lambda route: route.fulfill(status=503, body="no"))
        drop(page, encoded(speech()))
        expect(page.locator("#error")).to_contain_text("too many clients at this moment")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("no speech", "Nobody speaks here"),
        ("unlike anything in training", "unlike anything that the model was trained on"),
        ("unsure", "The model is not sure. Most probable is happy, with 70 %."),
    ],
)
def test_an_abstention_says_why(chromium, reason, said):
    with opened(chromium, server=stand_in.application(reason=reason)) as page:
        drop(page, encoded(speech()))
        found, more = verdict(page)
        assert found == "No emotion"
        assert said in more


def test_a_synthetic_model_is_marked_before_and_in_the_answer(chromium):
    with opened(chromium, server=stand_in.application(synthetic=True)) as page:
        assert page.inner_text("#synthetic").startswith("SYNTHETIC")
        drop(page, encoded(speech()))
        assert "SYNTHETIC" in verdict(page)[1]


def test_the_keyboard_reaches_all_there_is(chromium):
    with opened(chromium) as page:
        drop(page, encoded(speech(6.0)))
        verdict(page)
        reached = []
        while "Version" not in reached and len(reached) < 30:
            page.keyboard.press("Tab")
            name = page.evaluate(
                "document.activeElement.id || document.activeElement.textContent.trim()"
            )
            reached.append(name)
        wanted = [
            "record",
            "file",
            "player",
            "CSV",
            "The same as a table",
            "0.0 to 3.0 s",
            "Version",
        ]
        places = [reached.index(name) for name in wanted]
        assert places == sorted(places)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_file_is_chosen_by_the_keyboard(chromium, key):
    with opened(chromium) as page:
        # The browser's own dialogue is not ours to test; that the key asks for it is.
        page.evaluate(ASKED)
        page.focus("#file")
        page.keyboard.press(key)
        page.wait_for_function("() => window.asked === true")
        content = encoded(speech(3.0))
        page.set_input_files("#file", {"name": "b.wav", "mimeType": "audio/wav", "buffer": content})
        assert verdict(page)[0] == "happy"
        expect(page.locator("#facts")).to_contain_text("3.0 s")


def test_who_does_not_see_hears_the_answer_and_finds_the_numbers(chromium):
    with opened(chromium) as page:
        drop(page, encoded(speech(6.0)))
        verdict(page)
        live = page.locator("[aria-live=polite] #verdict")
        assert live.count() == 1
        assert "0.0 to 3.0 s happy" in page.get_attribute("#chart svg", "aria-label")
        rows = page.locator("#table tr").all_inner_texts()
        assert rows[0].split() == ["Time", "Emotion", "angry", "happy", "neutral", "sad"]
        assert rows[2].split("\t")[1] == "sad"
        unnamed = page.eval_on_selector_all(
            "button, input, audio, a, img",
            "all => all.filter((e) => e.offsetParent && !e.textContent.trim() && !e.labels?.length "
            "&& e.alt === undefined && !e.ariaLabel).map((e) => e.outerHTML)",
        )
        assert unnamed == []


def test_nothing_moves_where_motion_is_not_wanted(chromium):
    with opened(chromium, reduced_motion="reduce") as page:
        drop(page, encoded(speech()))
        verdict(page)
        moving = page.eval_on_selector_all(
            "*",
            "all => all.filter((e) => parseFloat(getComputedStyle(e).transitionDuration)).length",
        )
        assert moving == 0


def test_the_page_of_routes_is_read_without_asking_elsewhere(chromium):
    with opened(chromium, size="phone") as page:
        page.click("text=Routes for programs")
        page.wait_for_url("**/docs")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.click("summary:has-text('200 Successful') >> nth=0")
        assert page.is_visible("text=speech_share")
