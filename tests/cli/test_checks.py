"""Commands that check."""


def test_doctor_shows_findings_with_cures_and_fails_where_a_command_would(ser, project):
    status, out, err = ser("doctor")
    assert status == 1
    assert "fail  dvc: no .dvc folder" in out
    assert "cure: `dvc init" in out
    assert "something is wrong with: dvc, params.yaml" in err


def test_doctor_with_fix_hands_it_on_and_is_0_when_all_is_well(ser, project, monkeypatch):
    from ser.workflow import diagnosis

    asked = []

    def diagnose(root, *, fix):
        asked.append(fix)
        return [diagnosis.Finding("warn", "git", "none", "git init")]

    monkeypatch.setattr(diagnosis, "diagnose", diagnose)
    assert ser("doctor", "--fix")[0] == 0
    assert ser("doctor")[0] == 0
    assert asked == [True, False]


def test_verify_is_0_when_everything_agrees(ser, project, monkeypatch):
    from ser.tracking import verify

    checks = [verify.Check("ser.split_sha256", True, "a" * 64, "a" * 64, "data/splits.csv")]
    monkeypatch.setattr(verify, "verify", lambda _run_id, _root: checks)
    status, out, _ = ser("verify", "x")
    assert status == 0
    assert "all 1 checks agree" in out
    assert "a" * 64 not in out
