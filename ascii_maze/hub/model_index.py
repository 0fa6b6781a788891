"""Results of `evaluate` in the Hub's formats: `model-index` of a card, and `.eval_results/*.yaml`."""

from ..evaluation.schema import LENIENT_RATES, RATES, Results
from .benchmark import is_task, task_id

METRIC = "path_validity"


def model_index(results: Results, model: str, name: str, dataset_id: str, revision: str | None = None) -> list[dict]:
    """The value of the key `model-index` in the metadata of a model card.

    Args:
        results: the content of results.json.
        model: a name in `results["models"]`.
        name: the model's name in the card, NAME of ORG/NAME.
        dataset_id: of the dataset on the Hub, ORG/NAME.
        revision: the dataset's commit or tag.

    Returns:
        One entry per split with the rates of `path_validity`, 0-1, in the strict and in the lenient reading.

    Raises:
        KeyError: no such model in the results.
    """
    from huggingface_hub import EvalResult
    from huggingface_hub.repocard_data import eval_results_to_model_index

    measured = [
        EvalResult(
            task_type="text-generation",
            task_name="Walk through an ASCII maze",
            dataset_type=dataset_id,
            dataset_name=dataset_id.rpartition("/")[2],
            dataset_config="prompts",
            dataset_split=split,
            dataset_revision=revision,
            metric_type=METRIC,
            metric_name=rate,
            metric_value=round(summary[rate], 4),
        )
        for split, summary in results["models"][model].items()
        for rate in (*RATES, *LENIENT_RATES)
        if rate in summary  # results of earlier versions have only the strict reading
    ]
    return eval_results_to_model_index(name, measured)


def eval_results(
    results: Results,
    model: str,
    dataset_id: str,
    revision: str | None = None,
    date: str | None = None,
    source_url: str | None = None,
) -> list[dict]:
    """The content of a file in `.eval_results`: the validity on each split that is a task of the dataset.

    See https://huggingface.co/docs/hub/eval-results.

    Args:
        results: the content of results.json.
        model: a name in `results["models"]`.
        dataset_id: of the dataset on the Hub, ORG/NAME.
        revision: the dataset's commit; the Hub accepts no tag here.
        date: of the evaluation, ISO 8601; default: the date of the commit.
        source_url: of the predictions, if they are published.

    Returns:
        The entries to be written as YAML; rates are 0-1.

    Raises:
        KeyError: no such model in the results.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    entries = []
    for split, summary in results["models"][model].items():
        if not is_task(split):
            continue
        low, high = summary["valid_ci"]
        notes = (
            f"share of valid paths, 95 % interval {low:.4f} - {high:.4f}, {summary['n']} mazes, "
            f"{results['settings']['decoding']}"
        )
        if "valid_lenient" in summary:
            notes += f"; {summary['valid_lenient']:.4f} if a path in a longer text counts"
        entries.append(
            EvalResultEntry(
                dataset_id=dataset_id,
                task_id=task_id(split),
                value=round(summary["valid"], 4),
                dataset_revision=revision,
                date=date,
                source_url=source_url,
                source_name="Predictions" if source_url else None,
                notes=notes,
            )
        )
    return eval_result_entries_to_yaml(entries)
