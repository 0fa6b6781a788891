"""Walks step by step in Inspect give the reward and the score that `MazeEnv` gives for the same turns."""

import pytest

from ascii_maze.environment.env import WRONG_ARGUMENTS, WRONG_COUNT, MazeEnv
from ascii_maze.environment.prompts import TOOLS
from dataset_builder.load import load_mazes

pytestmark = pytest.mark.slow  # to import it takes as long as anything here
# Turns of a model as tool calls, whatever the maze.
CALLS = [
    [("look", {})],
    [("move", {"direction": "R", "steps": 3})],
    [("move", {"direction": "D"})],
    [("move", {"direction": "L", "steps": 2.5})],
    [("move", {"direction": "U"}), ("move", {"direction": "U"})],
    [("move", {"direction": "down", "steps": 9})],
    [("stop", {})],
]
TEXTS = ["R R R", "look", "D", "over there", "L L D", "stop"]


def evaluated(dataset, tmp_path, outputs, **options):
    """The log of an evaluation of a model that gives these outputs in every sample."""
    inspect_ai = pytest.importorskip("inspect_ai")
    from inspect_ai.model import ModelUsage, get_model

    from ascii_maze.evaluation.inspect_steps import ascii_maze_steps

    def play(messages, tools, tool_choice, config):
        turns = sum(message.role == "assistant" for message in messages)
        output = outputs[min(turns, len(outputs) - 1)]()
        output.usage = ModelUsage()  # or Inspect counts tokens with a vocabulary that it fetches
        return output

    (log,) = inspect_ai.eval(
        ascii_maze_steps(str(dataset), **options),
        model=get_model("mockllm/model", custom_outputs=play),
        limit=4,
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success", log.error
    return log


def check(log, dataset, play):
    """Each sample has the figures of the same turns in an environment of ours, and the means are theirs."""
    rows, rewards = {row["id"]: row for row in load_mazes(str(dataset), "test", 4)}, []
    for sample in log.samples:
        env = MazeEnv(rows[sample.id]["maze"], "window:1")
        play(env)
        expected = env.result().to_dict()
        found = sample.scores["walked"]
        assert found.metadata == expected
        assert found.value["reward"] == expected["reward"]
        rewards.append(expected["reward"])
    means = {score.name: score.metrics["mean"].value for score in log.results.scores}
    assert means["reward"] == pytest.approx(sum(rewards) / len(rewards))


def test_tool_calls_give_the_same_figures(dataset, tmp_path):
    pytest.importorskip("inspect_ai")
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput
    from inspect_ai.tool import ToolCall

    def output(calls):
        made = [ToolCall(id=f"c{k}", function=name, arguments=given) for k, (name, given) in enumerate(calls)]
        message = ChatMessageAssistant(content="", tool_calls=made)
        return ModelOutput(model="mockllm", choices=[ChatCompletionChoice(message=message)])

    log = evaluated(dataset, tmp_path, [lambda calls=calls: output(calls) for calls in CALLS], observation="window:1")
    check(log, dataset, lambda env: [env.calls(calls) for calls in CALLS])
    said = [message.text for message in log.samples[0].messages if message.role == "tool"]
    assert WRONG_COUNT in said


def test_a_call_that_is_not_json_is_an_error_and_does_nothing(dataset, tmp_path):
    pytest.importorskip("inspect_ai")
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput
    from inspect_ai.tool import ToolCall

    def output(name):
        call = ToolCall(id="c", function=name, arguments={}, parse_error="not JSON")
        message = ChatMessageAssistant(content="", tool_calls=[call])
        return ModelOutput(model="mockllm", choices=[ChatCompletionChoice(message=message)])

    log = evaluated(dataset, tmp_path, [lambda name=name: output(name) for name in ("stop", "look", "move")])
    assert {sample.scores["walked"].metadata["ended"] for sample in log.samples} == {"errors"}
    said = [message.text for message in log.samples[0].messages if message.role == "tool"]
    assert said[:2] == [WRONG_ARGUMENTS, WRONG_ARGUMENTS]


def test_a_model_is_told_of_the_same_tools_as_in_training(dataset):
    pytest.importorskip("inspect_ai")
    from inspect_ai.tool import ToolDef

    from ascii_maze.evaluation.inspect_steps import tools_of

    row = load_mazes(str(dataset), "test", 1)[0]
    for tool, expected in zip(tools_of(MazeEnv(row["maze"])), TOOLS, strict=True):
        told, wanted = ToolDef(tool), expected["function"]
        assert (told.name, told.description) == (wanted["name"], wanted["description"])
        found = told.parameters.model_dump(exclude_none=True)
        assert {name: found[name] for name in ("properties", "required")} == {
            name: wanted["parameters"][name] for name in ("properties", "required")
        }


def test_text_gives_the_same_figures(dataset, tmp_path):
    pytest.importorskip("inspect_ai")
    from inspect_ai.model import ModelOutput

    outputs = [lambda text=text: ModelOutput.from_content("mockllm", text) for text in TEXTS]
    log = evaluated(dataset, tmp_path, outputs, observation="window:1", tools=False)
    check(log, dataset, lambda env: [env.turn(text) for text in TEXTS])


def test_a_model_that_calls_no_tool_is_told_so_and_comes_to_an_end(dataset, tmp_path):
    pytest.importorskip("inspect_ai")
    from inspect_ai.model import ModelOutput

    log = evaluated(dataset, tmp_path, [lambda: ModelOutput.from_content("mockllm", "R")], observation="none")
    assert {sample.scores["walked"].metadata["ended"] for sample in log.samples} == {"errors"}
    assert {sample.scores["walked"].value["turns"] for sample in log.samples} == {3}
