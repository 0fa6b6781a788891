"""The launchers that may run the trainings of a study, with the flags allowed for each, so that an untrusted study
file cannot run a program of its choice. They start `ascii_maze train RECIPE`, which reads the recipe as data.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..configuration import read_yaml_mapping
from ..errors import UsageError
from ..recipe import find_recipe

CONFIG_FILE = "--config_file"
# Placeholder for the path of accelerate's config, which affects no outcome; the file's content does.
ACCELERATE = "{accelerate}"


@dataclass(frozen=True)
class Launcher:
    """A program that starts others.

    Attributes:
        words: as typed.
        valued: flags that take a value, after a blank or `=`; separated by blanks.
        bare: flags without a value; separated by blanks.
        module: the words before the name of a Python module to run.
    """

    words: tuple[str, ...]
    valued: str
    bare: str
    module: tuple[str, ...]


# Flags that name a program, a file to run, an environment, or a place for logs are left out.
LAUNCHERS = (
    Launcher(
        ("accelerate", "launch"),
        f"{CONFIG_FILE} --num_processes --num_machines --machine_rank --main_process_ip --main_process_port "
        "--mixed_precision --gpu_ids --num_cpu_threads_per_process --rdzv_backend --max_restarts --zero_stage "
        "--offload_optimizer_device --offload_param_device --gradient_accumulation_steps --gradient_clipping "
        "--zero3_init_flag --zero3_save_16bit_model --fsdp_version --fsdp_offload_params --fsdp_state_dict_type "
        "--fsdp_sharding_strategy --fsdp_reshard_after_forward --fsdp_auto_wrap_policy "
        "--fsdp_cpu_ram_efficient_loading --fsdp_activation_checkpointing",
        "--cpu --multi_gpu --use_fsdp --use_deepspeed --same_network --enable_cpu_affinity --quiet -q",
        ("--module",),
    ),
    Launcher(
        ("torchrun",),
        "--nnodes --nproc-per-node --nproc_per_node --node-rank --node_rank --master-addr --master_addr --master-port "
        "--master_port --rdzv-backend --rdzv_backend --rdzv-endpoint --rdzv_endpoint --rdzv-id --rdzv_id "
        "--max-restarts --max_restarts",
        "--standalone",
        ("--module",),
    ),
    Launcher(
        ("srun",),
        "--nodes -N --ntasks -n --ntasks-per-node --cpus-per-task -c --gpus -G --gpus-per-node --gpus-per-task "
        "--gres --mem --mem-per-cpu --mem-per-gpu --time -t --partition -p --account -A --qos -q --constraint -C "
        "--job-name -J --nodelist -w --exclude -x",
        "--exclusive",
        ("python", "-m"),
    ),
)
# What a config file of accelerate may hold: nothing that sends the run to a cloud, starts another launcher, or names
# another file.
CONFIG_KEYS = """
compute_environment distributed_type num_machines num_processes machine_rank main_process_ip main_process_port
main_training_function mixed_precision gpu_ids rdzv_backend same_network use_cpu debug downcast_bf16
enable_cpu_affinity fsdp_config deepspeed_config dynamo_config parallelism_config
"""
DEEPSPEED_KEYS = frozenset({"deepspeed_config_file", "deepspeed_hostfile", "deepspeed_multinode_launcher"})


def usual_config(words: Sequence[str]) -> Path | None:
    """The config that `accelerate launch` reads if it is given none; None if `accelerate config` wrote none."""
    if ("accelerate", "launch") not in pairwise(words) or CONFIG_FILE in words:
        return None
    from accelerate.commands.config.config_args import default_config_file

    return Path(default_config_file) if Path(default_config_file).is_file() else None


def launch_words(launcher: str, anything: bool = False) -> tuple[tuple[str, ...], Path | None]:
    """The words before `train RECIPE --key value`, and the file of accelerate's config if they name one.

    Args:
        launcher: of a study; one may start another, as `srun --nodes 2 torchrun --nproc_per_node 8`.
        anything: whether the user allows any program; it is given the recipe's file to run.

    Raises:
        UsageError: a launcher or a flag that is not listed here, or a config of accelerate that is not allowed.
    """
    try:
        words = shlex.split(launcher)
    except ValueError as error:
        raise UsageError(f"'launcher' is '{launcher}': {str(error).lower()}") from error
    if anything:
        return tuple(words), None
    rest, found, config = list(words), None, None
    known: list[str] = []
    while rest:
        found = next((one for one in LAUNCHERS if tuple(rest[: len(one.words)]) == one.words), None)
        if found is None:
            raise refusal(words, f"'{rest[0]}' is none of {', '.join(' '.join(one.words) for one in LAUNCHERS)}")
        known, rest = [*known, *found.words], rest[len(found.words) :]
        while rest and rest[0].startswith("-"):
            flag, equals, value = rest.pop(0).partition("=")
            takes_value = flag in found.valued.split()
            if not takes_value and (equals or flag not in found.bare.split()):
                raise refusal(words, f"{' '.join(found.words)} may not be given {flag}")
            if takes_value and not equals:
                value = rest.pop(0) if rest else ""
            if takes_value and (not value or value.startswith("-")):
                raise UsageError(f"'launcher': {flag} of {' '.join(found.words)} needs a value")
            if flag == CONFIG_FILE:
                config, value = checked_config(value), ACCELERATE
            known += [flag, value] if takes_value else [flag]
    assert found is not None  # a launcher is not blank
    return (*known, *found.module, "ascii_maze"), config


def refusal(words: list[str], why: str) -> UsageError:
    """The error for a launcher that could run anything; shows the command it would run."""
    command = shlex.join([*words, "RECIPE.yaml"])
    return UsageError(f"'launcher': {why}, so it may run anything: {command} ... If that is meant, --allow-launcher")


def checked_config(name: str) -> Path:
    """The file of a config of accelerate, a path or one of `recipes/accelerate`, if it does no more than distribute.

    Raises:
        UsageError: there is no such file, or it has a key that is not allowed.
    """
    path = find_recipe(name)
    values = read_yaml_mapping(path)
    unknown = sorted(values.keys() - set(CONFIG_KEYS.split()))
    deepspeed = values.get("deepspeed_config")
    unknown += sorted(DEEPSPEED_KEYS & set(deepspeed if isinstance(deepspeed, dict) else ()))
    if values.get("compute_environment", "LOCAL_MACHINE") != "LOCAL_MACHINE":
        unknown.append("compute_environment")
    if unknown:
        raise UsageError(
            f"{path.name}: '{unknown[0]}' is not allowed in a study, since it may do more than distribute"
        )
    return path
