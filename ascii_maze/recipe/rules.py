"""Restrictions on recipes: refused keys, allowed environment variables, bounds of numbers."""

from types import MappingProxyType

# `accelerate launch recipe.yaml` runs the file as Python, with this first line as the program; in YAML it is a key.
LAUNCHER_KEY = 'if __name__ == "__main__"'
_NO_TOKEN = "a token does not belong in a recipe; log in with `hf auth login` instead"
# Publishes the result with the user's login, so it is allowed only on the command line.
PUSH = "push_to_hub"
# Keys that TRL's configs accept but that are refused here, with the reason.
REFUSED_KEYS = MappingProxyType(
    {
        "token": _NO_TOKEN,
        "hub_token": _NO_TOKEN,
        "push_to_hub_token": _NO_TOKEN,
        "trust_remote_code": "no code of a repository is run; leave 'trust_remote_code' out",
        "resume_from_checkpoint": "a run resumes by itself from its newest checkpoint; leave it out",
        "dataset_streaming": "rows are counted and checked before a run, so they are not streamed; leave it out",
        "chat_template_path": "give 'chat_template', which every method reads, in place of 'chat_template_path'",
        "chat_template_kwargs": "give 'thinking', which every method reads, in place of 'chat_template_kwargs'",
        "save_only_model": "a run resumes from its checkpoints, which need the optimizer; leave 'save_only_model' out",
        "ignore_data_skip": "a resumed run goes on with the rows that are left; leave 'ignore_data_skip' out",
        "auto_find_batch_size": "a run and its budget count on the rows of a step; set 'per_device_train_batch_size'",
        "model_init_kwargs": "a model is loaded by 'model_name_or_path', 'dtype' and their like; leave it out",
        "log_completions_hub_repo": "nothing is published on the way; leave 'log_completions_hub_repo' out",
    }
)
# The variables that `env:` may set: devices and network cards, verbosity, names in a tracker. None names a file to
# load, an address to send to, or a secret: no NCCL plugin, Hub endpoint, or tracker key.
ENVIRONMENT = frozenset(
    {
        *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "PYTORCH_ALLOC_CONF"),
        *("PYTORCH_CUDA_ALLOC_CONF", "TORCH_DISTRIBUTED_DEBUG", "TORCH_NCCL_ASYNC_ERROR_HANDLING"),
        *("NCCL_DEBUG", "NCCL_DEBUG_SUBSYS", "NCCL_SOCKET_IFNAME", "NCCL_IB_DISABLE", "NCCL_IB_HCA"),
        *("NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL", "NCCL_SHM_DISABLE", "NCCL_ALGO", "NCCL_PROTO", "GLOO_SOCKET_IFNAME"),
        *("TOKENIZERS_PARALLELISM", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_XET"),
        *("WANDB_PROJECT", "WANDB_NAME", "WANDB_RUN_GROUP", "WANDB_TAGS", "WANDB_NOTES", "WANDB_MODE"),
        *("TRACKIO_PROJECT", "MLFLOW_EXPERIMENT_NAME", "COMET_MODE"),
    }
)
# Bounds of numbers that TRL and transformers do not check.
LEAST = MappingProxyType(
    dict.fromkeys(
        (
            *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "lora_r"),
            *("lora_alpha", "train_limit", "eval_limit", "early_stopping_patience", "max_length", "num_generations"),
            *("max_completion_length", "save_total_limit", "cpu_batch_size", "thinking_tokens", "own_answers"),
            *("max_moves", "num_iterations", "steps_per_generation"),
        ),
        1,
    )
    | dict.fromkeys(
        (
            *("seed", "learning_rate", "num_train_epochs", "logging_steps", "save_steps", "eval_steps"),
            *("dataloader_num_workers", "neftune_noise_alpha", "weight_decay", "temperature"),
            *("top_p", "min_p", "top_k", "repetition_penalty", "epsilon", "epsilon_high", "lora_dropout"),
            *("label_smoothing", "ld_alpha", "center_rewards_coefficient"),
            *("beta", "desirable_weight", "undesirable_weight"),  # below 0 a method would teach what it is to unteach
        ),
        0,
    )
)
LARGEST = MappingProxyType(
    {"seed": 2**32 - 1, **dict.fromkeys(("top_p", "min_p", "lora_dropout", "ld_alpha", "label_smoothing"), 1)}
)
