"""Who is let in: by sign-in, with rights looked up each time and an end that is checked; or by the switch."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from app.cli import app as commands
from app.errors import SignInError
from app.headers import SecurityHeaders, security_headers
from app.identity import is_own_machine
from app.server import settings
from app.sign_in import SignIn, ends_at, identity_of, read_sign_in, write_sign_in
from ingest.workspace import Workspace
from runner.control.people_changes import leave, name_sign_in
from runner.control.plane import Control
from runner.control.registry_file import parse_registry
from runner.errors import AccessRefused, RegistryInvalid
from tests.runner_company import company, registry_text
from tests.test_workbench import logged

ENTRY = Path(__file__).resolve().parent.parent / "app" / "streamlit_app.py"
PROVIDER = "https://login.example.com"
RIGHTS = ("export_data, apply_registry]", "export_data, apply_registry, change_people]")


def declared(root: Path, *, address: str = "https://fleet.example.com", hours: float | None = None) -> Path:
    return write_sign_in(
        root, provider=PROVIDER, client_id="fleetbook", client_secret="s", address=address, hours=hours
    )


@pytest.fixture
def asked(workspace: Workspace) -> Workspace:
    """A company whose pages ask for a sign-in; Mara has an address, Priya a subject."""
    with company(workspace, RIGHTS) as control:
        name_sign_in(control, "mara-lindt", email="Mara.Lindt@example.com", subject=None, by="priya-nair")
        name_sign_in(control, "priya-nair", email="p@example.com", subject="p-1", by="priya-nair")
    declared(workspace.root)
    return workspace


def opened(**claims: object) -> AppTest:
    """The pages for a browser whose cookie holds ``claims``; none: it has no cookie."""
    app = AppTest.from_file(ENTRY, default_timeout=60)
    app.query_params["as"] = "priya-nair"
    app.user = {"is_logged_in": True, **claims} if claims else {"is_logged_in": False}
    return app.run()


def until(minutes: float) -> int:
    return int((dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)).timestamp())


MARA = {"sub": "m-7", "email": "mara.lindt@example.com", "email_verified": True, "iat": 1_790_000_000}


def test_without_a_cookie_there_is_a_button_and_nothing_else(asked: Workspace) -> None:
    app = opened()
    assert not app.exception
    assert [button.label for button in app.button] == ["Sign in"]
    assert len(app.selectbox) == 0
    assert "Priya" not in str(app.main)


def test_the_person_is_the_cookies_and_never_the_addresss(asked: Workspace) -> None:
    app = opened(**MARA, exp=until(5))
    assert not app.exception
    assert "Mara Lindt" in app.sidebar.markdown[0].value
    assert [one.label for one in app.sidebar.selectbox] == []
    assert [event["person_id"] for event in logged(asked, "signed_in")] == ["mara-lindt"]


@pytest.mark.parametrize(
    "time",
    [{"exp": until(-1)}, {}, {"exp": None}, {"exp": "tomorrow"}, {"exp": True}],
    ids=["over", "not told", "null", "words", "no number"],
)
def test_a_sign_in_that_is_over_or_tells_no_end_is_no_sign_in(
    time: dict[str, object], asked: Workspace
) -> None:
    app = opened(**MARA, **time)
    assert "has ended" in app.info[0].value
    assert "Mara" not in str(app.main)
    assert logged(asked, "signed_in") == []


def test_with_hours_of_its_own_the_session_ends_then(asked: Workspace) -> None:
    declared(asked.root, hours=1)
    assert len(opened(**(MARA | {"iat": until(-50), "exp": until(-40)})).sidebar.markdown) > 0
    assert "has ended" in opened(**(MARA | {"iat": until(-70), "exp": until(600)})).info[0].value


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "x", "email": "mara.lindt@example.com"},
        {"sub": "x", "email": "mara.lindt@example.com", "email_verified": False},
        {"sub": "x", "email": "mara.lindt@example.com", "email_verified": "yes"},
        {"sub": "x", "email": "p@example.com", "email_verified": True},
        {"sub": "P-1", "email": "p@example.com", "email_verified": True},
        {"sub": "", "email": "", "email_verified": True},
        {"sub": None},
    ],
    ids=["unsaid", "unverified", "another word", "has a subject", "other subject", "empty", "nothing"],
)
def test_whom_the_registry_does_not_name_sees_their_identity_and_a_way_out(
    claims: dict[str, object], asked: Workspace
) -> None:
    app = opened(**claims, exp=until(5))
    assert not app.exception
    assert "nobody in this company's registry" in app.warning[0].value
    assert [button.label for button in app.button] == ["Sign out"]
    assert logged(asked, "signed_in") == []


def test_a_subject_names_its_person_whatever_the_address(asked: Workspace) -> None:
    app = opened(sub="p-1", email="mara.lindt@example.com", email_verified=True, exp=until(5))
    assert "Priya Nair" in app.sidebar.markdown[0].value


def test_who_left_is_nobody_at_the_next_rerun(asked: Workspace) -> None:
    app = opened(**MARA, exp=until(5))
    assert "Mara Lindt" in app.sidebar.markdown[0].value
    with Control(asked) as control:
        leave(control, "mara-lindt", by="priya-nair")
    app.run()
    assert "nobody in this company's registry" in app.warning[0].value


def test_hostile_claims_stay_text(asked: Workspace) -> None:
    app = opened(sub="![x](http://evil.test/s.png)", email="<b>@evil.test", exp=until(5))
    assert "![x](http://evil.test/s.png)" in app.code[0].value
    assert "evil.test" not in "".join(one.value for one in (*app.markdown, *app.warning))


@pytest.mark.parametrize(
    ("ip_address", "headers", "own"),
    [
        (None, {}, True),
        (None, {"Host": "localhost:8501"}, True),
        (None, {"Host": "127.0.0.1:8501"}, True),
        (None, {"Host": "[::1]:8501"}, True),
        (None, {"Host": "fleet.example.com"}, False),
        (None, {"Host": "localhost.evil.test"}, False),
        (None, {"Origin": "http://localhost:8501"}, False),
        ("10.0.0.7", {"Host": "localhost:8501"}, False),
        (None, {"Host": "localhost:8501", "X-Forwarded-For": "10.0.0.7"}, False),
        (None, {"Host": "localhost:8501", "x-real-ip": "10.0.0.7"}, False),
        (None, {"Host": "localhost:8501", "Forwarded": "for=10.0.0.7"}, False),
        (None, {"Host": "localhost:8501", "Via": "1.1 proxy"}, False),
    ],
)
def test_the_person_switch_is_for_a_browser_on_this_machine(
    ip_address: str | None, headers: dict[str, str], own: bool
) -> None:
    assert is_own_machine(ip_address, headers) is own


def test_every_page_with_the_switch_says_who_was_picked(workspace: Workspace) -> None:
    company(workspace).close()
    app = AppTest.from_file(ENTRY, default_timeout=60)
    app.query_params["as"] = "mara-lindt"
    app.run()
    assert any("Mara Lindt, picked without signing in" in one.value for one in app.markdown)


def test_two_people_with_one_sign_in_are_refused() -> None:
    mara = "mara-lindt: {name: Mara Lindt, "
    jon = "jon-vass: {name: Jon Vass, "
    for key, one, other in (("email", "a@example.com", "A@example.com"), ("subject", "s", "s")):
        text = registry_text((mara, f"{mara}{key}: {one}, "), (jon, f"{jon}{key}: {other}, "))
        with pytest.raises(RegistryInvalid, match=f"is also the {key} of"):
            parse_registry(text, Path("registry.yaml"))


def test_who_may_not_apply_the_registry_names_nobodys_sign_in(workspace: Workspace) -> None:
    with company(workspace, RIGHTS) as control, pytest.raises(AccessRefused):
        name_sign_in(control, "priya-nair", email="mine@example.com", subject=None, by="mara-lindt")


def test_what_is_written_is_read_back_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    assert read_sign_in(tmp_path) is None
    file = declared(tmp_path, hours=8)
    assert file.stat().st_mode & 0o777 == 0o600
    known = read_sign_in(tmp_path)
    assert known is not None
    assert known.auth["redirect_uri"] == "https://fleet.example.com/oauth2callback"
    assert known.auth["server_metadata_url"] == f"{PROVIDER}/.well-known/openid-configuration"
    assert known.auth["client_kwargs"] == {"scope": "openid email profile", "code_challenge_method": "S256"}
    assert (known.host, known.hours) == ("fleet.example.com", 8)
    secret = known.auth["cookie_secret"]
    declared(tmp_path, hours=8)
    again = read_sign_in(tmp_path)
    assert again is not None
    assert again.auth["cookie_secret"] != secret


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('client_id = "fleetbook"\n', "", "lacks client_id"),
        ("https://fleet.example.com/oauth2callback", "https://fleet.example.com/back", "expected https://"),
        ("https://fleet", "http://fleet", "without https"),
        ("https://login", "http://login", "without https"),
        ("hours = 8", "hours = -1", "expected a number over 0"),
        ("[auth]", "[auth", "Correct the file"),
        ("[auth]", "[other]\n[[auth]]", "is no table"),
    ],
)
def test_a_declaration_that_cannot_be_used_lets_nobody_in(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    file = declared(tmp_path, hours=8)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(SignInError, match=said):
        read_sign_in(tmp_path)


def test_secrets_that_others_can_read_are_not_used(asked: Workspace) -> None:
    (asked.root / "secrets.toml").chmod(0o640)
    with pytest.raises(SignInError, match="chmod 600"):
        read_sign_in(asked.root)
    app = opened(**MARA, exp=until(5))
    assert "chmod 600" in app.error[0].value.replace("\\", "")
    assert "Mara" not in str(app.main)


def test_the_commands_write_and_check_the_sign_in(workspace: Workspace) -> None:
    company(workspace, RIGHTS).close()

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(commands, ["--workspace", str(workspace.root), *words])
        return done.exit_code, done.output

    assert run("sign-in", "check")[0] == 1
    told = ("--provider", "http://127.0.0.1:9", "--client-id", "f", "--client-secret", "s")
    code, said = run("sign-in", "set", *told, "--address", "http://localhost:8501")
    assert code == 0, said
    assert "http://localhost:8501/oauth2callback" in said
    code, said = run("people", "sign-in", "mara-lindt", "--email", "m@example.com", "--as", "priya-nair")
    assert code == 0, said
    assert "email: m@example.com" in workspace.registry_file.read_text()


def test_the_pages_answer_to_the_name_of_the_redirect_uri_and_stay_on_this_machine(tmp_path: Path) -> None:
    declared(tmp_path)
    known = read_sign_in(tmp_path)
    assert settings(8501, None) == {"server.port": 8501, "server.address": "127.0.0.1"}
    told = settings(8501, known)
    assert told["server.address"] == "127.0.0.1"
    assert told["server.allowedHosts"] == ["localhost", "127.0.0.1", "fleet.example.com"]


def test_claims_are_read_as_they_are() -> None:
    assert identity_of({}) == ("", "", "")
    assert identity_of({"sub": 7, "email": " A@B.c ", "email_verified": "true"}) == ("7", "a@b.c", "A@B.c")
    assert ends_at({"iat": 0, "exp": 60}, None) == dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC)
    assert ends_at({"iat": 0, "exp": 60}, 2) == dt.datetime(1970, 1, 1, 2, tzinfo=dt.UTC)
    assert SignIn(auth={"redirect_uri": "http://localhost:1/oauth2callback"}).host == "localhost"


def test_every_answer_has_the_headers(tmp_path: Path) -> None:
    index = tmp_path / "index.html"
    index.write_text("<script>go()</script><script src='x.js'></script>")
    told = security_headers(index)
    inside = Starlette(
        routes=[Route("/", lambda _request: PlainTextResponse("fine"))],
        middleware=[Middleware(SecurityHeaders, headers=told)],
    )
    for path in ("/", "/nothing"):
        answer = TestClient(inside).get(path)
        assert answer.headers["x-frame-options"] == "DENY"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "script-src 'self' 'sha256-" in policy
        assert "unsafe-eval" not in policy
