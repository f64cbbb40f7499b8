"""Templates: whose are used, what they may do, and that text from data comes out as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import plan_of
from hypothesis import given
from hypothesis import strategies as st

from dilemmas import taxonomy
from dilemmas.errors import InputError
from dilemmas.prompts import ASKING, LETTERS, Prompts, lettered
from dilemmas.resources import folder
from dilemmas.schema import PLACES

HOSTILE = [
    "{{7*7}}",
    "{{ ''.__class__.__mro__ }}",
    "{% for x in y %}",
    "{% include 'ask/value.j2' %}",
    "{# a comment #}",
    "${x} $x %s %(x)s",
    "{0.__class__} {x} {}",
    "<script>alert(1)</script> <b>&amp;</b>",
    "</s><|im_start|>system",
    "\\n \\u0041 \\",
    "  two spaces,\ttab,\n\nan empty line  ",
    "  שלום \u202eabc\u2028",
    "# line\n---\n```json",
]


def shown(**settings: Any) -> list[str]:
    """Every prompt of a study, system message and all."""
    return ["\n\n".join(m.content for m in one.trial.messages) for one in plan_of(persona_set="max", **settings)]


@pytest.mark.parametrize("protocol", ["reasoned", "logprob"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_of_a_dilemma_comes_out_as_it_is(
    hostile: str, protocol: str, record: dict[str, Any], write_lines: Callable[..., Path]
) -> None:
    record["scenario"] = hostile
    for place, action in enumerate(record["actions"]):
        action["text"] = f"{hostile}{place}{hostile}"
    path = str(write_lines(record))
    settings: dict[str, Any] = {"dataset": path, "model.protocol": protocol, "repeats": 1}
    trials = plan_of(persona_set="max", **settings)
    assert len(trials) == 10
    for planned in trials:
        prompt = planned.trial.messages[-1].content
        assert f"\n\n{hostile}\n\n" in prompt
        if planned.trial.question == "action":
            for letter, code in zip(LETTERS, planned.trial.order, strict=False):
                place = [f"{polarity}-{intensity}" for polarity, intensity in PLACES].index(code)
                assert f"\n{letter}. {hostile}{place}{hostile}\n" in prompt


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\n\t"), max_size=80))
def test_a_value_of_a_variable_is_never_read_as_a_template(text: str) -> None:
    stem, options = f"<{text}>", lettered([f"[{text}]", "other"])
    prompt = Prompts().render("ask/question.j2", context=f"({text})", stem=stem, options=options, reply="now")
    assert prompt == f"Here is a situation.\n\n({text})\n\n<{text}>\n\nA. [{text}]\nB. other\n\nnow"


def test_what_is_not_for_the_model_is_not_shown_to_it(record: dict[str, Any], write_lines: Callable[..., Path]) -> None:
    secrets = ["SECRET-RATIONALE", "SECRET-AUTHOR", "SECRET-METHOD", "secret-id"]
    for action in record["actions"]:
        action["rationale"] = secrets[0]
    record["provenance"].update(author=secrets[1], method=secrets[2])
    record["id"] = secrets[3]
    for prompt in shown(dataset=str(write_lines(record))):
        assert [secret for secret in secrets if secret in prompt] == []
        for word in ("aligned", "opposed", "intensity", "Social Networks", "Loyal"):
            assert word not in prompt


def test_the_persona_comes_in_a_message_of_its_own_or_before_the_question() -> None:
    apart = plan_of(persona_set="three", limit=1, repeats=1)
    settings: dict[str, Any] = {"model.persona_role": "user"}
    together = plan_of(persona_set="three", limit=1, repeats=1, **settings)
    for one, other in zip(apart, together, strict=True):
        roles = [message.role for message in one.trial.messages]
        assert roles == (["user"] if one.trial.persona == "baseline" else ["system", "user"])
        assert [message.role for message in other.trial.messages] == ["user"]
        assert other.trial.messages[0].content == "\n\n".join(message.content for message in one.trial.messages)


def test_without_a_context_the_question_stands_alone() -> None:
    prompt = Prompts().render("ask/question.j2", context="", stem="Yes?", options=lettered(["a"]), reply="Now.")
    assert prompt == "Yes?\n\nA. a\n\nNow."


@pytest.fixture
def templates(tmp_path: Path) -> Callable[..., Path]:
    """Write templates by name into a folder of one's own."""

    def write(**sources: str | bytes) -> Path:
        for name, source in sources.items():
            path = tmp_path / "mine" / (name.replace("__", "/") + ".j2")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return tmp_path / "mine"

    return write


def test_a_folder_of_ones_own_takes_the_place_of_what_it_has(templates: Callable[..., Path]) -> None:
    mine = Prompts(templates(ask__action="What now?"))
    assert mine.render("ask/action.j2") == "What now?"
    assert mine.render("ask/logprob.j2", options=lettered("ab")) == Prompts().render(
        "ask/logprob.j2", options=lettered("ab")
    )


def test_templates_of_ones_own_reach_the_model(templates: Callable[..., Path]) -> None:
    mine = templates(
        ask__value="Is {{ value.name }} worth it: {{ value.definition }} ({{ topic.name }})?",
        persona__variables="Be {% for line in lines %}{{ line.label }}; {% endfor %}",
    )
    prompts = shown(templates=str(mine), limit=1, repeats=1)
    assert any("Is Choosing Own Goals worth it: " in prompt for prompt in prompts)
    assert sum(prompt.startswith("Be ") for prompt in prompts) == 8
    assert all("Here is a situation." in prompt for prompt in prompts)


@pytest.mark.parametrize("name", ASKING)
def test_the_checksum_covers_every_template_that_a_model_reads(name: str, templates: Callable[..., Path]) -> None:
    source = (folder("templates") / name).read_text(encoding="utf-8")
    same = templates(**{name.removesuffix(".j2").replace("/", "__"): source})
    assert Prompts(same).checksum() == Prompts().checksum()
    other = templates(**{name.removesuffix(".j2").replace("/", "__"): source + "!"})
    assert Prompts(other).checksum() != Prompts().checksum()


def test_the_checksum_leaves_out_what_no_model_reads(templates: Callable[..., Path]) -> None:
    assert Prompts(templates(report__report="x")).checksum() == Prompts().checksum()


def test_every_shipped_template_for_asking_is_in_the_checksum() -> None:
    found = {f"{path.parent.name}/{path.name}" for part in ("ask", "persona") for path in _templates(part)}
    assert found == set(ASKING)


def _templates(part: str) -> list[Path]:
    return list((folder("templates") / part).glob("*.j2"))


def refused(directory: Path, name: str = "ask/value.j2") -> InputError:
    with pytest.raises(InputError) as caught:
        Prompts(directory).render(name, value=taxonomy.value("Honest"), topic=taxonomy.topics()["Politics"])
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("source", ["{{ valeu.name }}", "{{ value.nmae }}", "{% if nobody %}x{% endif %}"])
def test_an_unknown_variable_is_an_error_that_lists_the_known_ones(source: str, templates: Callable[..., Path]) -> None:
    error = refused(templates(ask__value=source))
    assert "ask/value.j2" in error.where
    assert any(word in error.what for word in ("valeu", "nmae", "nobody"))
    assert "topic, value" in error.fix


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("fine\n\n{% for %}", 3),
        ("{{ value.name ", 1),
        ("a\n{% nonsense %}", 2),
        ("a\n{{ value | nofilter }}", 2),
        ("a\n{% if value %}\nb", 2),
    ],
)
def test_a_syntax_error_names_file_and_line(source: str, line: int, templates: Callable[..., Path]) -> None:
    mine = templates(ask__value=source)
    error = refused(mine)
    assert error.where.startswith(str(mine / "ask" / "value.j2"))
    assert int(error.where.rsplit("line ", 1)[1]) >= line


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ value.__class__.__init__.__globals__ }}",
        "{{ lipsum.__globals__ }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ value | attr('__class__') }}",
        "{{ '{0.__class__}'.format(value) }}",
        "{{ '%s' | format(value.__class__) }}",
        "{{ range.__self__ }}",
        "{{ [].append.__self__.__class__ }}",
        "{% set x = [] %}{{ x.append(1) }}",
        "{% set value.name = 'x' %}",
    ],
)
def test_the_sandbox_holds(source: str, templates: Callable[..., Path]) -> None:
    assert "ask/value.j2" in refused(templates(ask__value=source)).where


@pytest.mark.parametrize("included", ["../secret.j2", "ask/../../secret.j2", "/etc/hostname"])
def test_a_template_reaches_no_file_outside_its_folders(
    included: str, templates: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "secret.j2").write_text("SECRET")
    error = refused(templates(ask__value=f"{{% include '{included}' %}}"))
    assert "SECRET" not in str(error)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1 / 0 }}",
        "{{ 'a' + 1 }}",
        "{{ value() }}",
        "{{ 1 | round('x') }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "{% include 'ask/value.j2' %}",
        "{% include 'ask/none.j2' %}",
        "",
        " \n {# nothing #}",
        b"caf\xe9",
        "a bell \a",
    ],
)
def test_a_template_that_fails_or_says_nothing_is_an_error(source: str | bytes, templates: Callable[..., Path]) -> None:
    assert "ask/value.j2" in refused(templates(ask__value=source)).where


def test_a_template_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert "ask/none.j2" in str(refused(tmp_path, "ask/none.j2"))


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError) as caught:
            Prompts(path)
        assert caught.value.where == str(path)


def test_a_template_that_is_not_utf8_is_refused_before_anything_is_asked(templates: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        Prompts(templates(ask__value=b"caf\xe9")).checksum()


def test_letters_follow_the_order_shown() -> None:
    assert lettered(["x", "y"]) == [{"letter": "A", "text": "x"}, {"letter": "B", "text": "y"}]
