"""A real browser for the tests of the page: Chromium without a window, and with a microphone."""

import os
import shutil
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

from tests import tiers

#: Names the browser; then a test that finds none fails. `.ci/run` sets it.
VARIABLE = "SER_BROWSER"
#: A host that leads to this machine and is not secure in a browser's eyes.
INSECURE = "insecure.test"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def executable():
    """The path of a browser; without one, the test is skipped and says so."""
    named = os.environ.get(VARIABLE)
    if named:
        assert shutil.which(named), f"{VARIABLE}={named}: there is no such program"
        return shutil.which(named)
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(
            "the page is NOT tested: this machine has no Chromium; `apt-get install chromium` "
            "brings it, and .ci/run does that"
        )
    return found


@contextmanager
def started(microphone=os.devnull):
    """A browser whose microphone hears a WAV file, again and again."""
    tiers.starters.require_system("a browser")
    arguments = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
        # Chromium asks its maker's machines by itself, whatever a page does: they are not found.
        f"--host-resolver-rules=MAP {INSECURE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        *("--disable-background-networking", "--disable-component-update"),
        *("--disable-sync", "--no-first-run"),
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), headless=True, args=arguments
        )
        try:
            yield browser
        finally:
            browser.close()
