"""The real Label Studio, and what becomes of its failures."""

from __future__ import annotations

import base64
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_label_studio import DROP, Fault, FaultyLabelStudio
from fake_server import Answer, FakeServer, html
from label_studio_server import ADMIN, ALICE, Team
from pydantic import SecretStr

from dilemmas.errors import ReviewError
from dilemmas.review import client
from dilemmas.review.connection import KEY, Connection
from dilemmas.review.server import Project, Server

CONFIG = """<View><Text name="text" value="$text"/><Choices name="verdict" toName="text">
<Choice value="good"/><Choice value="bad"/></Choices></View>"""
TASKS = [{"data": {"text": f"text {number}"}, "meta": {"number": number}} for number in range(3)]
WRONG = {"legacy token": "f" * 40, "token of unknown kind": "secret-of-no-kind"}


def jwt(**claims: Any) -> str:
    """A personal access token that no server has signed."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"token_type": "refresh", **claims})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join((*encoded, "c2lnbmF0dXJl"))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
def project(label_studio: Team, request: pytest.FixtureRequest) -> Iterator[Project]:
    """A project with three tasks."""
    server = label_studio.server()
    made = server.create_project(request.node.name[:50], CONFIG, annotators=2, instructions="<p>Judge.</p>")
    server.import_tasks(made, TASKS)
    yield made
    if server.projects(made.title):
        server.delete_project(made)


def verdict(choice: str) -> dict[str, Any]:
    found = {"from_name": "verdict", "to_name": "text", "type": "choices", "value": {"choices": [choice]}}
    return {"result": [found], "ground_truth": False}


def refused(do: Callable[[], object]) -> ReviewError:
    with pytest.raises(ReviewError) as caught:
        do()
    return caught.value


def test_a_project_goes_its_whole_way(label_studio: Team, project: Project) -> None:
    server = label_studio.server()
    assert server.email == ADMIN.email
    assert server.projects(project.title) == [project] == [server.project(project.id)]
    assert (project.annotators, project.instructions, project.form) == (2, "<p>Judge.</p>", None)
    tasks = server.tasks(project)
    assert [(one["data"], one["meta"]) for one in tasks] == [(one["data"], one["meta"]) for one in TASKS]
    server.add_prediction(tasks[0]["id"], {"model_version": "judge", "result": verdict("bad")["result"]})
    assert [(one["task"], one["model_version"]) for one in server.predictions(project)] == [(tasks[0]["id"], "judge")]
    label_studio.sdk(ALICE).annotations.create(id=tasks[1]["id"], **verdict("good"))
    exported = server.export(project)
    assert [len(one["annotations"]) for one in exported] == [0, 1, 0]
    assert server.users()[exported[1]["annotations"][0]["completed_by"]] == ALICE.email
    server.delete_tasks(project, [])
    assert len(server.tasks(project)) == 3
    server.delete_tasks(project, [tasks[0]["id"], tasks[2]["id"]])
    assert [(one["id"], one["total_annotations"]) for one in server.tasks(project)] == [(tasks[1]["id"], 1)]


def test_a_title_is_taken_as_a_whole(label_studio: Team) -> None:
    server = label_studio.server()
    for title in ("Whole title", "Whole title 2"):
        server.create_project(title, CONFIG, annotators=1, instructions="")
    assert [one.title for one in server.projects("Whole title")] == ["Whole title"]


def test_listings_are_read_to_their_last_page(
    label_studio: Team, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dilemmas.review.server.PAGE", 2)
    assert len(label_studio.server().tasks(project)) == 3


def test_the_invite_link_leads_to_the_sign_up_page(label_studio: Team) -> None:
    import httpx2

    link = label_studio.server().invite_url()
    page = httpx2.get(link, trust_env=False, timeout=30)
    assert page.status_code == 200
    assert 'name="password"' in page.text


def test_a_personal_access_token_does_the_same(label_studio: Team, project: Project) -> None:
    connection = label_studio.connection(label_studio.personal_access_token(ALICE))
    server = Server(connection)
    assert (connection.kind, server.email, len(server.tasks(project))) == ("personal access token", ALICE.email, 3)


def test_an_access_token_that_has_run_out_is_renewed(label_studio: Team, project: Project) -> None:
    with FaultyLabelStudio(label_studio, Fault("POST", "/import", Answer(401, {"detail": "expired"}))) as faulty:
        key = SecretStr(label_studio.personal_access_token(ALICE))
        server = Server(Connection(faulty.url, key, "a test"))
        server.import_tasks(project, TASKS)
        assert (faulty.count("POST", "/import"), faulty.count("POST", "/token/refresh")) == (2, 2)
        assert len(server.tasks(project)) == 6


def test_a_personal_access_token_is_exchanged_below_the_path_of_the_server_whenever_it_is_over() -> None:
    def script(seen: Any) -> Answer:
        if seen.path.endswith("/refresh/"):
            return Answer(body={"access": jwt(exp=1_700_000_000)})
        return Answer(body=[] if "users" in seen.path else {"email": ALICE.email})

    with FakeServer(script=script) as other:
        address = f"http://127.0.0.1:{other.port}/reviews"
        server = Server(Connection(address, SecretStr(jwt(exp=2_000_000_000)), KEY))
        assert (server.email, server.users()) == (ALICE.email, {})
        exchange = "/reviews/api/token/refresh/"
        paths = [exchange, "/reviews/api/current-user/whoami", exchange, "/reviews/api/users/"]
        assert [seen.path for seen in other.seen] == paths


@pytest.mark.parametrize("kind", ["legacy token", "personal access token", "token of unknown kind"])
def test_a_wrong_key_is_told_with_its_kind_and_its_place(label_studio: Team, kind: str) -> None:
    key = WRONG.get(kind) or jwt(exp=2_000_000_000)
    error = refused(lambda: Server(Connection(label_studio.url, SecretStr(key), KEY)))
    assert (error.status, error.exit_code) == (401, 2)
    assert kind in error.what
    assert KEY in error.what
    assert "Account & Settings" in error.fix
    assert key not in str(error)


def test_an_expired_token_is_told_with_its_date(label_studio: Team) -> None:
    error = refused(lambda: Server(label_studio.connection(jwt(exp=1_700_000_000))))
    assert "2023-11-14" in error.what


def test_legacy_tokens_that_are_switched_off_are_told_with_the_setting(label_studio: Team) -> None:
    admin = label_studio.sdk(key=label_studio.personal_access_token())

    def allow(legacy: bool) -> None:
        admin.jwt_settings.update(api_token_ttl_days=30, api_tokens_enabled=True, legacy_api_tokens_enabled=legacy)

    allow(False)
    try:
        error = refused(lambda: label_studio.server(ALICE))
    finally:
        allow(True)
    assert "legacy token" in error.what
    assert "Organization > API Tokens Settings" in error.fix
    assert label_studio.server(ALICE).email == ALICE.email


def test_a_project_that_is_gone_is_told_as_such(label_studio: Team, project: Project) -> None:
    server = label_studio.server()
    server.delete_project(project)
    for do in (
        lambda: server.project(project.id),
        lambda: server.tasks(project),
        lambda: server.export(project),
        lambda: server.import_tasks(project, TASKS),
        lambda: server.delete_project(project),
    ):
        error = refused(do)
        assert error.status == 404
        assert "deleted" in error.fix
        assert len(error.what) < 300
        assert "<" not in error.what


@pytest.mark.parametrize(
    "config", [CONFIG.replace('<Choice value="good"/>', ""), CONFIG.replace('"verdict"', '"other"'), "<View"]
)
def test_a_form_that_does_not_fit_the_answers_leaves_the_project_as_it_was(
    label_studio: Team, project: Project, config: str
) -> None:
    server = label_studio.server()
    label_studio.sdk(ALICE).annotations.create(id=server.tasks(project)[0]["id"], **verdict("good"))
    error = refused(lambda: server.update_project(project, label_config=config, annotators=5))
    assert error.status == 400
    assert server.project(project.id) == project


def test_a_form_that_fits_the_answers_replaces_the_older_one(label_studio: Team, project: Project) -> None:
    server = label_studio.server()
    label_studio.sdk(ALICE).annotations.create(id=server.tasks(project)[0]["id"], **verdict("good"))
    changed = server.update_project(project, label_config=CONFIG.replace("bad", "poor"), instructions="<p>New.</p>")
    assert "poor" in server.project(project.id).label_config
    assert (changed.annotators, changed.instructions) == (2, "<p>New.</p>")


def test_a_batch_goes_in_as_a_whole_or_not_at_all(label_studio: Team, project: Project) -> None:
    server = label_studio.server()
    error = refused(lambda: server.import_tasks(project, [*TASKS, {"data": {"tekst": "no"}}]))
    assert '"text" key is expected' in error.what
    assert "half of a character" in refused(lambda: server.import_tasks(project, [{"data": {"text": "\ud800"}}])).what
    assert len(server.tasks(project)) == 3


def test_a_version_of_the_sdk_that_does_not_fit_is_told(label_studio: Team) -> None:
    error = refused(lambda: label_studio.server().add_prediction(1, {"no_such_argument": 1}))
    assert "label-studio-sdk" in error.what
    assert "pip install 'dilemmas[review]'" in error.fix


@pytest.mark.parametrize("missing", ["label_studio_sdk", "httpx"])
def test_without_the_sdk_it_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "dilemmas.review.client")
    error = refused(lambda: Server(Connection("http://127.0.0.1:1", SecretStr(ADMIN.token), KEY)))
    assert "label-studio-sdk is not installed" in error.what
    assert (error.fix, error.exit_code) == ("pip install 'dilemmas[review]'", 2)


@pytest.mark.parametrize("failure", [Answer(500, {"detail": "database is locked"}), Answer(502, "<b>Bad</b>"), DROP])
def test_what_only_reads_is_asked_again(label_studio: Team, project: Project, failure: Answer) -> None:
    with FaultyLabelStudio(label_studio, Fault("GET", "/api/tasks", failure, times=3)) as faulty:
        assert len(faulty.server().tasks(project)) == 3
        assert faulty.count("GET", "/api/tasks") == 4


def test_asking_again_has_an_end(label_studio: Team, project: Project) -> None:
    with FaultyLabelStudio(label_studio, Fault("GET", "/export", Answer(500, {"detail": "locked"}), times=9)) as faulty:
        error = refused(lambda: faulty.server().export(project))
        assert (error.status, faulty.count("GET", "/export")) == (500, 4)
        assert "locked" in error.what


@pytest.mark.parametrize("failure", [Answer(500, {"detail": "locked"}), DROP])
@pytest.mark.parametrize("stored", [True, False])
def test_an_import_is_never_sent_twice(label_studio: Team, project: Project, failure: Answer, stored: bool) -> None:
    with FaultyLabelStudio(label_studio, Fault("POST", "/import", failure, stored=stored)) as faulty:
        server = faulty.server()
        error = refused(lambda: server.import_tasks(project, TASKS))
        assert "import the tasks" in error.what
        assert faulty.count("POST", "/import") == 1
        assert len(server.tasks(project)) == (6 if stored else 3)


def test_a_key_that_is_refused_in_mid_run_is_told(label_studio: Team, project: Project) -> None:
    with FaultyLabelStudio(
        label_studio, Fault("GET", "/api/tasks", Answer(401, {"detail": "Invalid token."}))
    ) as faulty:
        error = refused(lambda: faulty.server().tasks(project))
        assert "cannot list the tasks" in error.what
        assert "legacy token" in error.what


def test_a_server_that_hangs_is_given_up(label_studio: Team, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dilemmas.review.server.EXPORT", 0.2)
    with FaultyLabelStudio(label_studio, Fault("GET", "/export", Answer(delay=5.0))) as faulty:
        server = faulty.server()
        assert "no answer" in refused(lambda: server.export(project)).what
        assert faulty.count("GET", "/export") == 1


OTHER_SERVERS = {
    "a web page": html(),
    "a page of its own for what is missing": html(404),
    "other JSON": Answer(body={"object": "list", "data": []}),
    "a list": Answer(body=[1, 2]),
    "nothing": Answer(body=b""),
    "broken JSON": Answer(body=b'{"email": '),
    "no such method": Answer(501, "<h1>Unsupported</h1>", kind="text/html"),
    "a redirect": Answer(302, b"", {"location": "http://example.invalid/login?next="}),
}


@pytest.mark.parametrize("answer", OTHER_SERVERS.values(), ids=OTHER_SERVERS)
@pytest.mark.parametrize("key", [ADMIN.token, jwt(exp=2_000_000_000)], ids=["legacy", "personal"])
def test_a_server_that_is_not_label_studio_is_told(answer: Answer, key: str) -> None:
    with FakeServer(script=lambda seen: answer) as other:
        address = f"http://127.0.0.1:{other.port}"
        error = refused(lambda: Server(Connection(address, SecretStr(key), KEY)))
    assert "not Label Studio" in error.what
    assert error.where == address
    assert "LABEL_STUDIO_URL" in error.fix
    assert "<" not in error.what
    assert len(error.what) < 400


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "https://127.0.0.1:1", "http://nowhere.invalid"])
def test_an_address_where_nobody_answers_is_told(address: str) -> None:
    error = refused(lambda: Server(Connection(address, SecretStr(ADMIN.token), "label-studio.toml")))
    assert "nobody answers" in error.what
    assert "label-studio.toml" in error.fix


@pytest.mark.parametrize("address", ["http://a..b", "http://[::1"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    assert "address" in refused(lambda: Server(Connection(address, SecretStr(ADMIN.token), KEY))).what


def test_a_redirect_does_not_carry_the_key_along() -> None:
    with FakeServer() as elsewhere:
        target = f"http://127.0.0.1:{elsewhere.port}/"
        with FakeServer(script=lambda seen: Answer(307, b"", {"location": target})) as first:
            for key in (ADMIN.token, jwt(exp=2_000_000_000)):
                refused(lambda key=key: Server(Connection(f"http://127.0.0.1:{first.port}", SecretStr(key), KEY)))
        assert elsewhere.seen == []


SENTINELS = {"legacy": "5e47" * 10, "personal": jwt(exp=2_000_000_000, who="sentinel"), "unknown": "sentinel-key-4711"}
ECHOES: dict[str, Callable[[str], Answer]] = {
    "refused": lambda key: Answer(401, {"detail": f"You sent {key}"}),
    "forbidden": lambda key: Answer(403, {"detail": f"You sent {key}"}),
    "missing": lambda key: Answer(404, f"<h1>Nothing for {key}</h1>", kind="text/html"),
    "out of order": lambda key: Answer(500, {"error": {"headers": [f"Token {key}"]}}),
    "page": lambda key: Answer(200, f"<p>Authorization: Token {key}</p>", kind="text/html"),
    "validation": lambda key: Answer(400, {"validation_errors": {"non_field_errors": [{}, key]}}),
    "field": lambda key: Answer(400, {"validation_errors": {key: ["no"]}}),
    "kind": lambda key: Answer(200, b"x", kind=key),
    "cookie": lambda key: Answer(500, {"detail": "no"}, {"set-cookie": f"sessionid={key}"}),
    "redirect": lambda key: Answer(302, b"", {"location": f"http://{key}.invalid/"}),
    "dropped": lambda key: DROP,
}  # fmt: skip


@pytest.mark.parametrize("key", SENTINELS.values(), ids=SENTINELS)
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_no_failure_shows_the_key(
    echo: Callable[[str], Answer], key: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeServer(script=lambda seen: echo(key)) as other:
        with pytest.raises(ReviewError) as caught:
            Server(Connection(f"http://127.0.0.1:{other.port}", SecretStr(key), KEY))
        assert other.seen
    error = caught.value
    assert (error.__cause__, error.__context__) == (None, None)
    told = [str(error), repr(error), str(vars(error)), "".join(traceback.format_exception(error))]
    shown = [*told, caplog.text, *capfd.readouterr()]
    assert [text for text in shown if key in text or key.split(".")[-1] in text] == []


def test_what_a_personal_token_is_exchanged_for_is_not_shown_either() -> None:
    access = jwt(exp=2_000_000_000, token_type="access")

    def script(seen: Any) -> Answer:
        if seen.path.endswith("/refresh/"):
            return Answer(body={"access": access})
        return Answer(403, {"detail": f"not with {seen.headers['authorization']}"})

    with FakeServer(script=script) as other:
        address = f"http://127.0.0.1:{other.port}"
        error = refused(lambda: Server(Connection(address, SecretStr(SENTINELS["personal"]), KEY)))
    assert "not with" in str(error)
    assert access not in str(error)


def test_cookies_of_the_server_are_not_sent_back(label_studio: Team) -> None:
    with FaultyLabelStudio(label_studio) as faulty:
        server = faulty.server()
        server.projects()
        assert all("cookie" not in seen.headers for seen in faulty.seen)
