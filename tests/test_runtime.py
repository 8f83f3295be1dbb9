"""The environment, the signals and the exit status of a process."""

import errno
import gc
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import weakref
from types import SimpleNamespace

import pytest
from safetensors import SafetensorError

from ser import runtime
from ser.errors import FullDiskError, ManifestError, TrackingError


def test_configure_sets_what_is_missing_and_keeps_what_is_there(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    # Registered, so that what configure sets is taken back after the test.
    for name in runtime.DEFAULTS:
        monkeypatch.setenv(name, os.environ.get(name, "kept"))
    monkeypatch.delenv("OMP_WAIT_POLICY")
    runtime.configure()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert os.environ["HF_HUB_OFFLINE"] == "0"


def test_run_main_says_a_known_error_in_one_message_and_returns_1(capsys):
    def refuse():
        raise ManifestError("manifest.jsonl:3: duplicate id")

    assert runtime.run_main(refuse) == 1
    captured = capsys.readouterr()
    assert captured.err == "error: manifest.jsonl:3: duplicate id\n"
    assert captured.out == ""


def test_a_process_ends_without_looking_through_all_that_it_has_imported():
    program = """
import sys
from ser import runtime
runtime.configure()
runtime.configure()
class Ring:
    def __init__(self): self.self = self
    def __del__(self): print("collected")
ring = Ring()
del ring
print("end", flush=True)
"""
    shown = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert shown.stdout.split() == ["end"]


def test_what_a_body_leaves_behind_is_collected(monkeypatch):
    """What is imported is frozen once; a second body in the same process freezes nothing."""
    frozen = []
    monkeypatch.setattr(runtime.gc, "freeze", lambda: frozen.append(True))
    runtime._freeze_once.cache_clear()
    assert runtime.run_main(lambda: None) == 0
    assert frozen == [True]
    assert runtime.run_main(lambda: None) == 0
    assert frozen == [True]


def test_a_body_after_a_block_that_let_go_of_what_is_imported_freezes_it_again(monkeypatch):
    runtime.spare_imports()
    with runtime.sparing_what_stays():
        pass
    frozen = []
    monkeypatch.setattr(runtime.gc, "freeze", lambda: frozen.append(True))
    assert runtime.run_main(lambda: None) == 0
    assert frozen == [True]


_RING = """
import gc, sys, weakref
from ser import runtime
class Ring:
    def __init__(self): self.self = self
def is_kept(gone=2_000):
    seen = weakref.ref(Ring())
    # In Python's first generation: more than twice what it waits for.
    others = [[] for _ in range(gone)]
    return seen() is not None
"""


@pytest.mark.parametrize(
    ("before", "is_kept"),
    [
        ("pass", False),
        ("runtime.put_off_collections()", True),
        ("import pipelines", True),
        ("import pipelines; runtime.run_main(lambda: None)", False),
        ("import pipelines; runtime.run_main(lambda: None, has_imported=False)", True),
        ("import pipelines\nwith runtime.sparing_what_stays(): pass", False),
        ("with runtime.importing(): pass", False),
        ("from ser.workflow.dependencies import Stage; Stage('split', 'split').module", False),
    ],
)
def test_garbage_is_looked_for_but_while_a_program_imports(before, is_kept):
    program = f"{_RING}{before}\nprint(is_kept())"
    shown = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert shown.stdout.strip() == str(is_kept)


def test_what_is_imported_is_left_out_of_collections_and_what_comes_later_is_not():
    program = """
import gc
from ser import runtime
with runtime.importing():
    import json
    before = gc.get_freeze_count()
    imported = [[] for _ in range(1_000)]
print(before, gc.get_freeze_count() > 1_000, gc.isenabled())
"""
    shown = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert shown.stdout.split() == ["0", "True", "True"]


def test_what_is_spared_is_collected_after_the_block():
    class Ring:
        def __init__(self):
            self.self = self

    ring = Ring()
    seen = weakref.ref(ring)
    with runtime.sparing_what_stays():
        assert gc.get_freeze_count() > 0
        del ring
        gc.collect()
        assert seen() is not None
    gc.collect()
    assert seen() is None


def test_run_main_returns_the_status_of_the_body():
    assert runtime.run_main(lambda: 3) == 3
    assert runtime.run_main(lambda: None) == 0


def test_run_main_returns_130_after_ctrl_c(capsys):
    def interrupted():
        raise KeyboardInterrupt

    assert runtime.run_main(interrupted) == 130
    assert capsys.readouterr().err.startswith("interrupted")


def test_run_main_keeps_the_traceback_of_our_own_faults():
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        runtime.run_main(broken)


def test_sigterm_interrupts_and_the_former_handler_comes_back(capsys):
    before = signal.getsignal(signal.SIGTERM)

    def terminated():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    assert runtime.run_main(terminated) == 143
    assert "SIGTERM" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


def test_sigterm_as_interrupt_does_nothing_outside_the_main_thread():
    handlers = []

    def look():
        with runtime.sigterm_as_interrupt():
            handlers.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert handlers == [before]


def test_runtime_needs_no_heavy_import():
    code = "import sys, ser.runtime; print([m for m in sys.modules if m in ('torch', 'numpy')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "data/splits.csv"),
        OSError(errno.EDQUOT, "Disk quota exceeded", "data/splits.csv"),
        OSError("3200 requested and 512 written"),  # NumPy
        sqlite3.OperationalError("database or disk is full"),
        SafetensorError('Io(Os { code: 28, kind: StorageFull, message: "No space left" })'),
        TrackingError("tracking store: the disk is full; `ser doctor` says more"),
    ],
)
def test_a_full_disk_is_one_sentence(error, capsys):
    def full():
        raise error

    assert runtime.run_main(full) == runtime.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: the disk is full ({str(error).strip()}): free some space")


def test_a_full_disk_with_a_cure_of_its_own_says_that(capsys):
    def full():
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise FullDiskError("cache: full; set HF_HOME") from error

    assert runtime.run_main(full) == runtime.FAILED
    assert capsys.readouterr().err == "error: cache: full; set HF_HOME\n"


def test_a_full_disk_is_found_behind_another_error(capsys):
    def full():
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "a.csv")
        except OSError as error:
            raise RuntimeError("could not write") from error

    assert runtime.run_main(full) == runtime.FAILED
    assert "No space left on device: 'a.csv'" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE])
def test_a_file_that_the_machine_refuses_is_one_sentence(number, capsys):
    def refused():
        raise OSError(number, os.strerror(number), "a.csv")

    assert runtime.run_main(refused) == runtime.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: a.csv: {os.strerror(number)}: ")


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "No such file", "a.csv"), PermissionError("no file")]
)
def test_another_error_of_the_system_keeps_its_traceback(error):
    def lost():
        raise error

    with pytest.raises(type(error)):
        runtime.run_main(lost)


#: Asks for sixteen megabytes again and again, and prints how many pages the system had to clear.
_PAGES = """
import resource, sys
from ser import runtime

if sys.argv[1] == "kept":
    runtime.keep_freed_memory()
taken = [b"x" * 2**24 for _ in range(3)]
del taken
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    taken = b"x" * 2**24, b"y" * 2**24
    del taken
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_freed_memory_is_kept_for_what_is_asked_for_next():
    pages = {
        way: int(subprocess.check_output([sys.executable, "-c", _PAGES, way], text=True))
        for way in ("kept", "given back")
    }
    assert pages["given back"] > 20 * 4096  # else the system is another, and this shows nothing
    assert pages["kept"] < 4096, pages


@pytest.mark.parametrize(
    ("said", "asked_for"),
    [
        ({}, [(-1, -1), (-4, 0)]),
        ({"MALLOC_TRIM_THRESHOLD_": "131072"}, [(-4, 0)]),
        ({"GLIBC_TUNABLES": "glibc.malloc.check=1:glibc.malloc.mmap_max=65536"}, [(-1, -1)]),
        ({"MALLOC_MMAP_MAX_": "65536", "GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1"}, []),
    ],
)
def test_what_the_environment_says_of_freed_memory_holds(said, asked_for, monkeypatch):
    chosen = []
    library = SimpleNamespace(mallopt=lambda *choice: chosen.append(choice))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda _: library)
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    runtime.keep_freed_memory()
    assert chosen == asked_for


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_where_there_is_no_glibc_nothing_is_asked_for(system, monkeypatch):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(runtime.ctypes, "CDLL", None)
    runtime.keep_freed_memory()
