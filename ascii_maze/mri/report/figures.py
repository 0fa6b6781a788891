"""The figures of the report except those of regions: overview, one section per fine-tune, appendix.

Each is drawn once, for both the page and the files.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...templating.language import Say
from ..analysis import DRIFT_POSITIONS, HEADLINE
from ..layers import AUTO
from ..models import BASE
from ..probing import QUESTIONS
from ..schema import Results
from ..schema.states import Drift
from .charts import CaptionedFigure, bars, heatmap, lines
from .weight_figures import cosines, module_weights, overlap, weights_overview

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "last_prompt": "last token of the prompt",
    "start": "start",
    "goal": "goal",
    "maze_mean": "mean over the map",
    "moves": "moves of the answer",
}


class Compared(NamedTuple):
    """A model against another that it comes from.

    Attributes:
        label: `dpo from sft`; the name alone in a report where every fine-tune starts from the base.
        drift: at the last token of the prompt; so is `cka`, per layer.
        kl: divergence of its next move from the other's, nats.
    """

    label: str
    drift: Drift
    cka: list[float]
    kl: float


def comparisons(results: Results) -> list[Compared]:
    """Every fine-tune against its start, then those with another start against the base, then quantisation alone."""
    started, quantised = results["against_start"], results["quantisation"]
    to_base = {
        name: Compared(
            f"{name} from {BASE}" if started else name,
            results["drift_by_position"][name][HEADLINE],
            results["cka"][name],
            results["kl"][name]["from_base"],
        )
        for name in results["models"][1:]
    }
    to_start = {
        name: Compared(
            f"{name} from {of['start']}", of["drift_by_position"][HEADLINE], of["cka"], of["kl"]["from_start"]
        )
        for name, of in started.items()
    }
    found = [*({**to_base, **to_start}.values()), *(to_base[name] for name in started)]
    if quantised:
        found.append(Compared("quantisation alone", quantised["drift"], quantised["cka"], quantised["kl"]))
    return found


def _rows_in_words(results: Results, say: Say) -> str:
    words = ""
    if results["against_start"]:
        words += " " + say(
            "First every fine-tune against what it started from, then against the base if that was another."
        )
    if results["quantisation"]:
        words += " " + say(
            "The last row is no fine-tune: the base, quantised as it was trained on, against its full precision."
        )
    return words


def overview_figures(results: Results, say: Say) -> Iterator[CaptionedFigure]:
    """Layer x model, what each fine-tune changed and where it does its work."""
    compared = comparisons(results)
    yield from _changed_states(results, compared, say)
    yield CaptionedFigure("weights", None, *weights_overview(results, say))
    yield _patched_layers(results, say)
    yield from _lens(results, say)
    yield CaptionedFigure(
        "next_token_kl",
        None,
        say(
            "How far the next move has gone from what it was before, KL(after || before) in nats, mean over the moves "
            "of the reference solutions. RLHF's penalty is of this kind, but on the policy's own answers."
        ),
        bars({one.label: one.kl for one in compared}, "nats per move"),
    )
    for question in QUESTIONS:
        if question in results["probes"][BASE]:
            yield CaptionedFigure(f"probe_{question.replace(' ', '_')}", None, *_probe(results, question, say))
    if results["overlaps"]:
        yield CaptionedFigure("subspace_overlap", None, *overlap(results, say))
    if any(cell["whole"] is not None for cell in results["cosines"]):
        yield CaptionedFigure("cosine", None, *cosines(results, say))


def _changed_states(results: Results, compared: Sequence[Compared], say: Say) -> Iterator[CaptionedFigure]:
    names, layers = [one.label for one in compared], range(results["layers"])
    yield CaptionedFigure(
        "drift",
        None,
        say(
            "Drift: how far each layer's state at the last token of the prompt has moved, as a share of the norm "
            "before; 0 is unchanged, brighter is farther."
        )
        + _rows_in_words(results, say),
        heatmap(np.array([one.drift["relative"] for one in compared]), names, layers, low=0),
    )
    yield CaptionedFigure(
        "offset",
        None,
        say(
            "Share of the squared drift that is one vector, the same for every maze: where it is near 1 the states "
            "have been moved as a whole, and what tells mazes apart has hardly changed."
        ),
        heatmap(np.array([one.drift["offset_share"] for one in compared]), names, layers, low=0, high=1),
    )
    yield CaptionedFigure(
        "cka",
        None,
        say(
            "Similarity of each layer to what it was before (debiased linear CKA); 1 is equal up to rotation, scale "
            "and an offset, brighter is less similar."
        ),
        heatmap(np.array([one.cka for one in compared]), names, layers, high=1, reverse=True),
    )


def _patched_layers(results: Results, say: Say) -> CaptionedFigure:
    first = next(iter(results["patching"].values()))
    return CaptionedFigure(
        "patching",
        None,
        say(
            "Validity on {mazes} mazes of the base with a fine-tune's states patched in after one layer: it rises at "
            "the layers whose change matters; bars are Wilson's 95 % intervals."
        ).format(mazes=first["mazes"])
        + _which_layers(results, say),
        lines(
            {name: of["valid"] for name, of in results["patching"].items()},
            "valid, share",
            intervals={name: of["valid_ci"] for name, of in results["patching"].items()},
            low=0,
            level=(first["base"], "base"),
        ),
    )


def _lens(results: Results, say: Say) -> Iterator[CaptionedFigure]:
    yield CaptionedFigure(
        "logit_lens",
        None,
        say(
            "Probability of the right next move if each layer were the last (logit lens), mean over the moves of the "
            "solutions: where it rises, the move is decided."
        )
        + _repeating(results["moves"]["repeating"], say),
        lines({name: of["probability"] for name, of in results["lens"].items()}, "probability", low=0),
    )
    if results["moves"]["decisions"]:
        yield CaptionedFigure(
            "logit_lens_at_decisions",
            None,
            say(
                "The same at {decisions} of {moves} moves, the decisions: some way onward is right and some is not."
            ).format(**results["moves"])
            + _repeating(results["moves"]["repeating_at_decisions"], say),
            lines(
                {name: of["probability_at_decisions"] for name, of in results["lens"].items()}, "probability", low=0
            ),
        )


def method_figures(results: Results, name: str, say: Say) -> Iterator[CaptionedFigure]:
    """What one fine-tune changed."""
    layers = range(results["layers"])
    by_position = results["drift_by_position"][name]
    yield CaptionedFigure(
        "drift",
        name,
        say(
            "Drift by what the token stands for, relative to the base's norm: where in the text the states have moved."
        ),
        heatmap(
            np.array([by_position[position]["relative"] for position in DRIFT_POSITIONS]),
            [NAMES[position] for position in DRIFT_POSITIONS],
            layers,
            low=0,
        ),
    )
    yield CaptionedFigure(
        "cka_layers",
        name,
        say(
            "Similarity (CKA) of every layer of the base (rows) to every layer of {name} (columns): bright cells off "
            "the diagonal mean that a stage of the computation has moved to another layer."
        ).format(name=name),
        heatmap(np.array(results["cka_layers"][name]), [f"base {layer}" for layer in layers], layers, low=0, high=1),
    )
    yield CaptionedFigure("weights", name, *module_weights(results, name, say))
    accuracy = results["patching"][name]["accuracy"]
    yield CaptionedFigure(
        "patching_by_role",
        name,
        say(
            "Share of right next moves along the solution, with this fine-tune's states patched into the base after "
            "one layer, in the prompt only or from its last token on: which of the two carries the change."
        ),
        lines(
            {"at the prompt": accuracy["prompt"], "at the answer": accuracy["answer"]},
            "right moves, share",
            level=(accuracy["base"][0], "base"),
        ),
    )
    if questions := [question for question in QUESTIONS if question in results["probes"][name]]:
        yield _probe_gain(results, name, questions, say)


def _probe_gain(results: Results, name: str, questions: Sequence[str], say: Say) -> CaptionedFigure:
    gains = [results["probe_gains"][name][question] for question in questions]
    clear = [[low > 0 or high < 0 for low, high in of["ci"]] for of in gains]
    return CaptionedFigure(
        "probe_gain",
        name,
        say(
            "How much better (orange) or worse (blue) a linear probe does on this fine-tune's layers than on "
            "those of {reference}, in accuracy or r2 on the same held-out mazes; numbers stand where the 95 % "
            "interval over mazes, paired, leaves out 0."
        ).format(reference=gains[0]["reference"]),
        heatmap(
            np.array([of["gain"] for of in gains]),
            questions,
            range(results["layers"]),
            signed=True,
            said=np.array(clear, dtype=bool),
        ),
    )


def appendix_figures(results: Results, say: Say) -> Iterator[CaptionedFigure]:
    """Further measures of similarity."""
    adapters, layers = results["models"][1:], range(results["layers"])
    yield CaptionedFigure(
        "procrustes",
        None,
        say(
            "Orthogonal Procrustes distance to the base's layer, 0 (equal up to rotation and scale) to 2: unlike CKA "
            "it also weighs directions of low variance."
        ),
        heatmap(np.array([results["procrustes"][name] for name in adapters]), adapters, layers, low=0),
    )
    yield CaptionedFigure(
        "rsa",
        None,
        say(
            "Representational similarity: rank correlation of the distances between every two mazes with those in the "
            "base; brighter is less similar."
        ),
        heatmap(np.array([results["rsa"][name] for name in adapters]), adapters, layers, high=1, reverse=True),
    )
    yield CaptionedFigure(
        "effective_rank",
        None,
        say("Effective rank: how many directions the states of different mazes span at the last token of the prompt."),
        lines(results["effective_rank"], "directions", low=0),
    )


def _repeating(share: float, say: Say) -> str:
    return " " + say("Repeating the move before would be right in {share:.0%} of them.").format(share=share)


def _which_layers(results: Results, say: Say) -> str:
    """For a deep model, why only some layers have dots."""
    if all(len(of["layers"]) == results["layers"] for of in results["patching"].values()):
        return ""
    if results["settings"]["patch layers"] != AUTO:
        return " " + say("Dots are the layers that were asked for.")
    return " " + say(
        "Dots are the layers that were patched: some at even distances, then the middles of the gaps over which "
        "validity changed most."
    )


def _probe(results: Results, question: str, say: Say) -> tuple[str, "Figure"]:
    by_model = {name: of[question] for name, of in results["probes"].items()}
    measure = by_model[BASE][0]["measure"]
    control = np.mean([[cell["control"] for cell in cells] for cells in by_model.values()], axis=0)
    scores = {name: [cell["score"] for cell in cells] for name, cells in by_model.items()}
    intervals = {name: [cell["ci"] for cell in cells] for name, cells in by_model.items()}
    caption = say(
        "Probe, {question}: {measure} of a linear probe on held-out mazes, with bootstrapped 95 % intervals; what "
        "exceeds the dotted control, trained on shuffled labels, can be read from that layer."
    ).format(question=question, measure=measure)
    key = {"next move": "repeating", "next move at decisions": "repeating_at_decisions"}.get(question)
    level = (results["moves"][key], "the move before again") if key else None  # type: ignore[literal-required]
    if question == "on a shortest path":
        caption += " " + say("It is read at the cell's token, when the map below it has not been seen.")
    if question == "the solution, whole map read":
        caption += " " + say(
            "It is read for each place of the map at the last token of the prompt, on mazes of the commonest size; "
            "the control knows how often each place is on a solution."
        )
    figure = lines(scores, measure, intervals=intervals, dashed={"control": control}, level=level)
    if measure == "r2":
        figure.axes[0].set_ylim(bottom=max(-0.5, figure.axes[0].get_ylim()[0]))
    return caption, figure
