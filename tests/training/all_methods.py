"""For two processes at once: every method but SFT, one after the other. Arguments: dataset, output folder, adapter."""

import sys
from pathlib import Path

from accelerate import PartialState

from ascii_maze.launch import train
from tests.training.conftest import METHODS_AFTER_SFT, method_settings

PartialState.destroy_process_group = lambda self, group=None: None  # the next method needs the group again
dataset, folder, sft = map(Path, sys.argv[1:])
for method in METHODS_AFTER_SFT:
    train(f"recipes/tiny/{method}.yaml", method_settings(method, dataset, folder, sft, per_device_train_batch_size=4))
