"""RLHF: optimises the policy against a learned reward model, by REINFORCE with the other completions of the same maze
as baseline (RLOO: Ahmadian et al., 2024) and a KL penalty towards the adapter that it starts from.

The true validity of the sampled completions is logged beside the reward, with weight 0: if the reward rises and
validity does not, the policy exploits an error of the reward model. Length and truth of reasoning are logged too, if
the rules of the rows ask for it; the reward model has then been trained on answers with reasoning.
"""


def make_trainer(trainer_class: type, run, args, train_dataset, processing_class, **arguments):
    """Make TRL's trainer of this method; see `sft`.

    Raises:
        UsageError: the recipe names no reward model, or sets `thinking`.
        AsciiMazeError: it cannot be loaded, or is not a reward model.
    """
    from ..errors import UsageError
    from ..models.chat import how_read
    from ..models.loading import load_model
    from .rewards import THOUGHT_FIGURES, reward_function, thinks
    from .watch import watched

    if run.reward_model_name_or_path is None:
        raise UsageError("no 'reward_model_name_or_path'; train one with `accelerate launch recipes/reward.yaml`")
    if how_read(processing_class).thinking:
        raise UsageError("a reward model reads answers without thoughts, and cannot judge any; leave out 'thinking'")
    reward_model, tokenizer = load_model(run.reward_model_name_or_path, task="SEQ_CLS")
    beside = ["validity", *(THOUGHT_FIGURES if thinks(train_dataset, processing_class) else ())]
    args.reward_weights = [1.0, *(0.0 for _ in beside)]
    trainer = watched(trainer_class)(
        reward_funcs=[reward_model, *(reward_function(name, processing_class) for name in beside)],
        reward_processing_classes=[tokenizer, *(None for _ in beside)],
        args=args,
        train_dataset=train_dataset,
        processing_class=processing_class,
        **arguments,
    )
    trainer.reward_func_names[0] = "reward_model"  # in the log; else the name of its base
    return trainer
