"""A small random model that is taught a few mazes by heart, with the chat template of any family."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataset_builder.config import BuildConfig

from .conftest import ROOT, settings
from .families import save_model

# One split, which is trained on and asked.
MAZES = BuildConfig(
    name="by-heart",
    sizes={"3x3": 1},
    generators={"depth_first": 1},
    splits={"train": 24},
    path_lengths={"2-6": 1},
)
# A step reads all mazes, and nothing is looked at on the way.
QUICK = {
    "dtype": "float32",
    "bf16": "false",
    "load_in_4bit": "false",
    "per_device_train_batch_size": 24,
    "cpu_batch_size": 24,
    "save_strategy": "no",
}
# The whole of a small model learns in seconds what an adapter on one would take minutes for.
WHOLE = {
    "use_peft": "false",
    "max_steps": 64,
    "learning_rate": 6e-3,
    "adam_beta2": 0.98,
    "warmup_steps": 5,
    "logging_steps": 16,
}
# What is trained on that, for one step.
ADAPTER = {"lora_r": 8, "lora_alpha": 16, "max_steps": 1, "logging_steps": 1, "warmup_steps": 0}


def learn(family: str, dataset: Path, folder: Path) -> Path:
    """Teach a random model with the template of a family all mazes of a dataset of `MAZES`, by recipes/sft.yaml.

    Args:
        folder: new; for the random model and the run.

    Returns:
        The folder of the run, a whole model.
    """
    from ascii_maze.launch import train

    # With the usual 0.02 so narrow a model takes three times the steps to learn anything.
    model = save_model(family, folder / "random", initializer_range=0.1)
    words = settings(dataset, folder / "sft", model_name_or_path=model, **QUICK, **WHOLE)
    with one_thread():
        return train("recipes/sft.yaml", words)


def train_further(method: str, dataset: Path, learnt: Path, out: Path, **changes) -> Path:
    """One step of another method, by its recipe, of an adapter on what `learn` returned; the run's folder."""
    from ascii_maze.launch import train

    recipe = out.with_suffix(".yaml")
    recipe.write_text(f"extends: {ROOT / 'recipes' / method}.yaml\nadapter_name_or_path: null\n")
    words = settings(dataset, out, model_name_or_path=learnt, **{**QUICK, **ADAPTER, **changes})
    with one_thread():
        return train(recipe, words)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread while the block runs: models so small lose more to waiting than a second thread gives."""
    import torch

    set_threads, threads = torch.set_num_threads, torch.get_num_threads()
    set_threads(1)
    torch.set_num_threads = lambda count: None  # a run sets the threads of its process
    try:
        yield
    finally:
        torch.set_num_threads = set_threads
        set_threads(threads)
