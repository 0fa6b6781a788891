"""Group-relative policy optimisation against a verifiable reward: several completions for each maze, each rewarded by
where its moves lead, with advantages relative to the group (Shao et al., 2024). The terms are in `rewards`.

For a policy that reasons before it answers, length and truth of the reasoning are logged with the reward, with
weight 0.
"""


def make_trainer(trainer_class: type, run, args, train_dataset, processing_class, **arguments):
    """Make TRL's trainer of this method; see `sft`. The recipe's `reward_weights` are in the order of the terms.

    With `random_reward` the terms are logged as usual with weight 0, and every completion is rewarded at random.
    """
    from .rewards import THOUGHT_FIGURES, Terms, coin, reward_function, thinks
    from .watch import watched

    if run.stepwise:
        from .rollouts import turn_by_turn
        from .steps import step_arguments

        rows = {"train_dataset": train_dataset, "eval_dataset": arguments.pop("eval_dataset")}
        walks = step_arguments(run, {**rows, "processing_class": processing_class})
        return watched(turn_by_turn(trainer_class))(args=args, **walks, **arguments)
    names = list(Terms._fields)
    if thinks(train_dataset, processing_class):
        args.reward_weights = [*(args.reward_weights or [1.0] * len(names)), *(0.0 for _ in THOUGHT_FIGURES)]
        names += THOUGHT_FIGURES
    rewards = [reward_function(name, processing_class) for name in names]
    if run.random_reward:
        args.reward_weights = [*(0.0 for _ in rewards), 1.0]
        rewards.append(coin(args.seed))
    return watched(trainer_class)(
        reward_funcs=rewards,
        args=args,
        train_dataset=train_dataset,
        processing_class=processing_class,
        **arguments,
    )
