"""The figures of a study's report as inline SVG; the same results give the same bytes.

Each panel is a picture of its own, so that a page can stack them where it is narrow.
"""

from collections.abc import Sequence

from ..evaluation.findings import best_rule
from ..evaluation.schema import Analysis
from ..mazes.baselines import BASELINES
from ..mri.seeds import first_seeds, method_of
from ..plots import COLOURS, GREY, SETTINGS, inline_svg, svg_of
from .schema import Contrast, MeanRates


def rates_figure(models: dict[str, dict[str, MeanRates]], splits: Sequence[str], colours: dict[str, str]) -> str:
    """Every model on every split: the mean share of shortest paths with its interval, each seed's own, and as hollow
    marks the share of valid paths; a dotted line is the best rule.
    """
    from matplotlib import rc_context

    names = [name for name in models if name not in BASELINES][::-1]
    with rc_context(SETTINGS):
        drawn = []
        for split in splits:
            figure, panel = _panel(3.5, 0.8 + 0.26 * len(names))
            for place, name in enumerate(names):
                cell = models[name].get(split)
                if cell is None:
                    continue
                colour = colours[name]
                low, high = (100 * bound for bound in cell["optimal_ci"])
                panel.plot([low, high], [place, place], color=colour, linewidth=1.2, solid_capstyle="butt")
                of_seeds = [100 * of_seed["optimal"] for of_seed in cell["seeds"].values()]
                panel.plot(of_seeds, [place] * len(of_seeds), linestyle="", marker="|", color=colour, markersize=7)
                panel.plot([100 * cell["valid"]], [place], marker="o", color=colour, markersize=5, fillstyle="none")
                panel.plot([100 * cell["optimal"]], [place], marker="o", color=colour, markersize=5)
            if best := best_rule(models, split):
                panel.axvline(100 * models[best][split]["optimal"], color=colours[best], linestyle=":", linewidth=1)
            panel.set(title=split, xlim=(-2, 102), ylim=(-0.6, len(names) - 0.4), xlabel="per cent of mazes")
            panel.set_yticks(range(len(names)), names)
            panel.grid(axis="x", alpha=0.25)
            drawn.append(inline_svg(svg_of(figure), f"rates-{split}"))
        return "".join(drawn)


def contrast_figure(contrasts: Sequence[Contrast], margin: float) -> str:
    """The planned contrasts: each difference with its 95 % interval, over the band of equivalence."""
    from matplotlib import rc_context

    planned = [one for one in contrasts if one["planned"]][::-1]
    with rc_context(SETTINGS):
        figure, panel = _panel(5.2, 0.9 + 0.26 * len(planned))
        panel.axvspan(-100 * margin, 100 * margin, facecolor=(GREY, 0.2), edgecolor=GREY, linewidth=0.6)
        panel.axvline(0, color=GREY, linewidth=0.8)
        for place, one in enumerate(planned):
            colour = GREY if one["verdict"] == "not shown" else COLOURS[0]
            panel.plot([100 * bound for bound in one["ci"]], [place, place], color=colour, linewidth=1.2)
            panel.plot([100 * one["difference"]], [place], marker="o", color=colour, markersize=5)
        panel.set_yticks(range(len(planned)), [f"{one['a']} - {one['b']}" for one in planned])
        panel.set(xlabel="points of difference, 95 %", ylim=(-0.6, len(planned) - 0.4))
        panel.grid(axis="x", alpha=0.25)
        return inline_svg(svg_of(figure), "contrasts")


def length_figure(analysis: dict[str, dict[str, Analysis]], splits: Sequence[str], colours: dict[str, str]) -> str:
    """Share of shortest paths over their length, from each power of two to the next.

    Args:
        analysis: of an evaluation's results.json: model -> split -> breakdowns.
    """
    from matplotlib import rc_context

    with rc_context(SETTINGS):
        drawn = []
        for split in splits:
            figure, panel = _panel(4.4, 3.0)
            cells = {name: by_split[split]["by"]["path_length"] for name, by_split in analysis.items()}
            lows = {cell["low"]: tick for of_model in cells.values() for tick, cell in of_model.items()}
            places = {low: place for place, low in enumerate(sorted(lows))}
            for name, of_model in cells.items():
                points = [(places[cell["low"]], 100 * cell["optimal"]) for cell in of_model.values()]
                baseline = {"linestyle": ":", "linewidth": 1, "marker": ""} if name in BASELINES else {"marker": "o"}
                panel.plot(
                    *zip(*points) if points else ((), ()), markersize=4, color=colours[name], label=name, **baseline
                )
            panel.set(title=split, xlabel="moves of the shortest path", ylabel="shortest, per cent", ylim=(-3, 103))
            panel.set_xticks(range(len(lows)), [lows[low] for low in places])
            panel.grid(axis="y", alpha=0.25)
            shown = [line for line in panel.get_lines() if line.get_label() not in BASELINES]
            figure.legend(handles=shown, loc="outside right center", frameon=False)
            drawn.append(inline_svg(svg_of(figure), f"length-{split}"))
        return "".join(drawn)


def learning_figure(histories: dict[str, Sequence[dict]], before: dict[str, int], colours: dict[str, str]) -> str:
    """Shortest paths on held-out mazes over the tokens that each run had read.

    Args:
        histories: `history` of metrics.json by name, of runs that evaluated.
        before: tokens that the runs read on which a run builds.
    """
    from matplotlib import rc_context

    with rc_context(SETTINGS):
        figure, panel = _panel(5.6, 3.2)
        for name, history in histories.items():
            evaluated = [line for line in history if "eval_optimal" in line]
            points = [((before[name] + line["tokens"]) / 1000, 100 * line["eval_optimal"]) for line in evaluated]
            panel.plot(*zip(*points), marker=".", color=colours[name], label=name)
        panel.set(xlabel="tokens read, thousands", ylabel="shortest, per cent", ylim=(-3, 103))
        panel.set_xlim(left=0)
        panel.grid(alpha=0.25)
        figure.legend(loc="outside right center", frameon=False)
        return inline_svg(svg_of(figure), "learning")


def reward_figure(histories: dict[str, Sequence[dict]], colours: dict[str, str]) -> str:
    """For runs that maximise a reward and evaluate: the reward over the steps, and below it the true validity."""
    from matplotlib import rc_context

    with rc_context(SETTINGS):
        drawn = []
        for name, history in histories.items():
            figure, panels = _panel(4.4, 3.8, rows=2, sharex=True)
            for panel, key, scale, label in (
                (panels[0], "reward", 1, "reward"),
                (panels[1], "eval_valid", 100, "truly valid, per cent"),
            ):
                points = [(line["step"], scale * line[key]) for line in history if key in line]
                panel.plot(*zip(*points), marker="." if key == "eval_valid" else None, color=colours[name])
                panel.set_ylabel(label)
                panel.grid(alpha=0.25)
            panels[0].set_title(name)
            panels[1].set(ylim=(-3, 103), xlabel="step")
            drawn.append(inline_svg(svg_of(figure), f"reward-{name}"))
        return "".join(drawn)


def inside_figure(mri: dict, colours: dict[str, str]) -> str:
    """How far each model is from the base, layer by layer: drift of the activations, and similarity by CKA; further
    seeds of a method are dotted.
    """
    from matplotlib import rc_context

    with rc_context(SETTINGS):
        drawn = []
        for key, label in (("drift", "drift, share of the base's norm"), ("cka", "likeness to the base (CKA)")):
            lines = {
                name: points
                for name, by_layer in mri[key].items()
                if (points := [(layer, value) for layer, value in enumerate(by_layer) if value is not None])
            }
            if not lines:
                continue
            figure, panel = _panel(4.8, 3.0)
            for name, points in lines.items():
                first = name in first_seeds(list(lines))
                style = {"marker": "."} if first else {"linestyle": ":", "linewidth": 1}
                method = method_of(name)
                panel.plot(*zip(*points), color=colours[method], label=method if first else None, **style)
            panel.set(xlabel="layer (0: embedding)", ylabel=label)
            panel.grid(alpha=0.25)
            figure.legend(loc="outside right center", frameon=False)
            drawn.append(inline_svg(svg_of(figure), f"inside-{key}"))
        return "".join(drawn)


def _panel(width: float, height: float, rows: int = 1, **options):
    """A figure of so many inches, and its axes: one, or an array of rows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, 1, **options)
