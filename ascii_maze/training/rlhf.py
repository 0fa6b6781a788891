"""RLHF: optimises the policy against a learned reward model, by REINFORCE with the other completions of the same maze
as baseline (RLOO: Ahmadian et al., 2024) and a KL penalty towards the adapter that it starts from.

The true validity of the sampled completions is logged beside the reward, with weight 0: if the reward rises and
validity does not, the policy exploits an error of the reward model.
"""


def make_trainer(trainer_class: type, run, args, processing_class, **arguments):
    """Make TRL's trainer of this method; see `sft`.

    Raises:
        UsageError: the recipe names no reward model, or lets the policy think.
        AsciiMazeError: it cannot be loaded, or is not a reward model.
    """
    from ..errors import UsageError
    from ..models.chat import how_read
    from ..models.loading import load_model
    from .rewards import reward_function
    from .watch import watched

    if run.reward_model_name_or_path is None:
        raise UsageError("no 'reward_model_name_or_path'; train one with `accelerate launch recipes/reward.yaml`")
    if how_read(processing_class).thinking:
        raise UsageError("a reward model reads answers without thoughts, and cannot judge any; leave out 'thinking'")
    reward_model, tokenizer = load_model(run.reward_model_name_or_path, task="SEQ_CLS")
    args.reward_weights = [1.0, 0.0]
    trainer = watched(trainer_class)(
        reward_funcs=[reward_model, reward_function("validity", processing_class)],
        reward_processing_classes=[tokenizer, None],
        args=args,
        processing_class=processing_class,
        **arguments,
    )
    trainer.reward_func_names[0] = "reward_model"  # in the log; else the name of its base
    return trainer
