import json

import numpy as np
import pytest

from ascii_maze.errors import UsageError
from ascii_maze.preferences.agreement import agree, is_careless, krippendorff_alpha, left_share, share
from ascii_maze.preferences.collection import Answer, write_collection
from ascii_maze.preferences.collector import Collector
from ascii_maze.preferences.journal import Event, read_journals
from ascii_maze.preferences.judgements import judge
from ascii_maze.preferences.report import write_agreement
from ascii_maze.preferences.simulation import Annotator, annotators, simulate
from ascii_maze.preferences.strength import strengths

from .conftest import plain_collection


def answers(collection, said):
    """Events from lists of choices, one list a person."""
    return [
        Event("answer", number, f"p{person}", collection.questions[number].id, choice)
        for person, choices in enumerate(said)
        for number, choice in enumerate(choices)
        if choice
    ]


def test_alpha_of_a_case_worked_by_hand():
    collection = plain_collection(4)
    # Agree on three questions of four; each value four times of eight. Observed disagreement 1/4, expected 4/7.
    events = answers(collection, [["first", "first", "second", "second"], ["first", "first", "second", "first"]])
    events[-1] = events[-1]._replace(choice="first")
    counts = {"first": 5, "second": 3}
    expected = 1 - (1 / 4) / (2 * counts["first"] * counts["second"] / (8 * 7))
    alpha, interval, units = krippendorff_alpha(collection, judge(collection, events))
    assert alpha == pytest.approx(expected)
    assert units == 4
    assert interval is None  # some resamples have one value alone


def test_alpha_is_not_made_up_where_it_is_not_defined():
    collection = plain_collection(4)
    assert krippendorff_alpha(collection, judge(collection, answers(collection, [["first"] * 4])))[0] is None
    same = answers(collection, [["first"] * 4, ["first"] * 4])
    assert krippendorff_alpha(collection, judge(collection, same)) == (None, None, 4)
    none = answers(collection, [["neither"] * 4, ["first"] * 4])
    assert krippendorff_alpha(collection, judge(collection, none))[2] == 0


def test_strengths_are_those_that_were_planted():
    generator, planted = np.random.default_rng(0), {"a": 1.0, "b": 0.0, "c": -1.0}
    seen = []
    for maze in range(2_000):
        one, two = generator.choice(list(planted), 2, replace=False)
        won = generator.random() < 1 / (1 + np.exp(planted[two] - planted[one]))
        seen.append((str(one), str(two), float(won), str(maze)))
    found = strengths(seen)
    assert [one["model"] for one in found] == ["a", "b", "c"]
    for one in found:
        low, high = one["score_ci"]
        assert low < planted[one["model"]] < high
        assert high - low < 0.5
    assert sum(one["score"] for one in found) == pytest.approx(0)


def test_a_model_that_always_wins_has_a_finite_strength():
    found = strengths([("a", "b", 1.0, str(k)) for k in range(30)])
    assert found[0]["model"] == "a"
    assert np.isfinite(found[0]["score"])
    assert strengths([("a", "a", 1.0, "x")]) == []


def test_sides_are_counted_on_the_screen_and_not_in_the_file():
    collection = plain_collection(10)
    events = [event._replace(left=k % 2) for k, event in enumerate(answers(collection, [["first"] * 10]))]
    assert left_share(judge(collection, events))["hits"] == 5


def test_who_is_careless_needs_more_than_one_gold_question():
    assert not is_careless(share([False]))
    assert is_careless(share([False, False]))
    assert not is_careless(share([True, False]))
    assert not is_careless(share([True] * 9 + [False]))
    assert is_careless(share([True] * 5 + [False] * 5))
    assert not is_careless(share([]))


def by_model(skill):
    return lambda question, answer: skill.get(answer.model, 4.0 if answer.model == "gold:path" else 0.0)


@pytest.fixture(scope="module")
def planted(tmp_path_factory, dataset):
    """Answers of five people with a known utility; the first leans to the left, the last does not look."""
    import dataclasses

    from ascii_maze.preferences.opening import Wishes, new_collection

    out = tmp_path_factory.mktemp("planted")
    whole = new_collection(Wishes(str(dataset), limit=220, per_item=5, gold_share=0.1, repeat_share=0.1))
    names, questions = ("strong", "middle", "weak"), []
    for k, question in enumerate(whole.questions):
        pair = (names[k % 3], names[(k + 1) % 3])
        questions.append(
            dataclasses.replace(
                question, answers=tuple(Answer(m, a.completion) for m, a in zip(pair, question.answers))
            )
        )
    collection = dataclasses.replace(whole, questions=tuple(questions))
    write_collection(out, collection)
    people = [
        Annotator("leans", bias=1.5),
        *(Annotator(f"fair-{k}") for k in range(3)),
        Annotator("careless", careless=1.0),
    ]
    utility = by_model({"strong": 1.5, "middle": 0.0, "weak": -1.5})
    simulate(Collector(out, collection, [], simulated=True), people, utility=utility)
    return out, collection, people, utility


def test_what_was_planted_comes_back(planted):
    out, collection, people, utility = planted
    figures = agree(collection, read_journals(out).events)
    found = {person["name"]: person for person in figures["people"]}
    assert [one["model"] for one in figures["models"]] == ["strong", "middle", "weak"]
    assert found["leans"]["left"]["p"] < 0.01
    assert found["leans"]["left"]["share"] > 0.5
    assert all(found[f"fair-{k}"]["left"]["p"] > 0.01 for k in range(3))
    assert [name for name, person in found.items() if person["careless"]] == ["careless"]
    assert found["fair-0"]["gold"]["share"] > 0.9
    low, high = figures["alpha_ci"]
    assert low < expected_alpha(collection, people, utility) < high
    assert high - low < 0.25


def expected_alpha(collection, people, utility):
    """Krippendorff's alpha of these people by their chances, sides drawn: both answers are equally often the first."""
    agreeing = []
    for question in collection.questions:
        first, second = (utility(question, answer) for answer in question.answers)
        chances = [(one.left_chance(first, second) + 1 - one.left_chance(second, first)) / 2 for one in people]
        pairs = [(p, q) for k, p in enumerate(chances) for q in chances[k + 1 :]]
        agreeing.append(np.mean([p * q + (1 - p) * (1 - q) for p, q in pairs]))
    count = len(collection.questions) * len(people)
    return 1 - (1 - np.mean(agreeing)) / (0.5 * count / (count - 1))


def test_the_page_escapes_what_strangers_wrote_and_loads_nothing(tmp_path, planted):
    import dataclasses

    out, collection, *_ = planted
    nasty = tuple(
        dataclasses.replace(
            q, answers=tuple(Answer(f"<img src=x>{a.model}", "<script>alert(1)</script>") for a in q.answers)
        )
        for q in collection.questions
    )
    write_collection(tmp_path, dataclasses.replace(collection, questions=nasty))
    (tmp_path / "answers").symlink_to(out / "answers")
    reported = write_agreement(tmp_path)
    page = (tmp_path / "agreement" / "agreement.html").read_text()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;img src=x&gt;strong" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "did not look" in page
    assert json.loads((tmp_path / "agreement" / "agreement.json").read_text()) == reported.figures


def test_answers_of_another_collection_are_refused(tmp_path, planted):
    collection = plain_collection()
    with pytest.raises(UsageError, match=r"which collection\.json does not have"):
        agree(collection, read_journals(planted[0]).events)


def test_ratings_agree_on_an_ordinal_scale_and_rank_the_models(tmp_path, dataset):
    from ascii_maze.preferences.opening import Wishes, new_collection

    collection = new_collection(Wishes(str(dataset), limit=120, mode="rate", per_item=3))
    simulate(Collector(tmp_path, collection, [], simulated=True), annotators(4, careless=1), most=360)
    figures = agree(collection, read_journals(tmp_path).events)
    assert figures["alpha"] > 0.3
    assert figures["left"]["n"] == 0
    assert figures["truth"]["share"] > 0.8


def test_nobody_has_answered(tmp_path):
    figures = agree(plain_collection(), [])
    assert figures["people"] == []
    assert figures["seconds"] is None


def test_a_report_replaces_nothing_but_a_report(tmp_path):
    collection = plain_collection(4)
    write_collection(tmp_path / "collection", collection)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "agreement.html").write_text("my own")
    with pytest.raises(UsageError, match=r"agreement\.html is not a report of ascii-maze, and would be lost"):
        write_agreement(tmp_path / "collection", mine)
    assert (mine / "agreement.html").read_text() == "my own"
    (mine / "agreement.html").unlink()
    for _ in range(2):
        write_agreement(tmp_path / "collection", mine)
