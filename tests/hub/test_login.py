import json

import pytest

from .conftest import EXPIRED, READ, WRITE

LOOK = "import json; from ascii_maze.doctor import check_login; print(json.dumps(check_login()._asdict()))"


@pytest.mark.parametrize(
    ("token", "settings", "state", "found"),
    [
        (WRITE, {}, "ok", "ann"),
        (READ, {}, "broken", "can only read"),
        (EXPIRED, {}, "broken", "expired or wrong"),
        (None, {}, "missing", "no token"),
        (WRITE, {"HF_HUB_OFFLINE": "1"}, "untried", "HF_HUB_OFFLINE"),
        (WRITE, {"HF_ENDPOINT": "http://127.0.0.1:9"}, "untried", "cannot be reached"),
        ("a token with blanks", {}, "broken", "expired or wrong"),
    ],
)
def test_the_doctor_says_who_is_logged_in_and_never_shows_the_token(run, token, settings, state, found):
    done = run("-c", LOOK, token=token, **settings)
    check = json.loads(done.stdout)
    assert check["state"] == state
    assert found in check["found"]
    assert (check["fix"] == "hf auth login") == (state in ("broken", "missing"))
    assert not token or token not in done.stdout + done.stderr


def test_a_hub_that_is_down_is_not_taken_for_a_bad_token(run, hub):
    hub.fault("GET", "/whoami", status=503)
    check = json.loads(run("-c", LOOK).stdout)
    assert check["state"] == "untried"
    assert "503" in check["found"]
