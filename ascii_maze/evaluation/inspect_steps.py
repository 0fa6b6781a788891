"""Mazes walked step by step as a task of Inspect, by tool calls or in text, scored by `MazeEnv`.

    inspect eval ascii_maze/ascii_maze_steps -T observation=window:2 --model openai/gpt-5
    inspect eval ascii_maze/ascii_maze_steps -T observation=local -T tools=false --model hf/Qwen/Qwen3-0.6B

Needs `pip install "ascii-maze[evals]"`.
"""

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageTool, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Score, mean, scorer, stderr
from inspect_ai.solver import solver
from inspect_ai.tool import Tool, ToolDef, ToolParams

# Inspect may load this file by its path, outside of the package.
from ascii_maze.environment.env import MazeEnv
from ascii_maze.environment.prompts import TOOLS, step_prompt
from dataset_builder.load import load_mazes

# The figures of a walk in the log; all fields of its score are in the metadata.
FIGURES = ("reward", "reaches_goal", "valid", "optimal", "spl", "loops", "wall_hits", "turns", "errors")
UNREADABLE = ()  # in place of arguments that are not JSON: an error, where None would be no arguments


@task
def ascii_maze_steps(
    dataset: str = "ascii-maze",
    split: str = "test",
    observation: str = "window:2",
    tools: bool = True,
    max_moves: int | None = None,
    max_tokens: int = 256,
) -> Task:
    """The mazes of one split, walked step by step.

    Args:
        dataset: a folder that `ascii-maze build` made, or a Hub id.
        split: of its config `prompts`.
        observation: what is seen; see `ascii_maze.environment.observations`.
        tools: whether the model makes tool calls; else it writes its moves.
        max_moves: of a walk; None for twice the open positions of its map.
        max_tokens: most tokens of a turn.
    """
    samples = []
    for row in load_mazes(dataset, split, None):
        rules, first = step_prompt(MazeEnv(row["maze"], observation, max_moves), tools)
        prompt = [ChatMessageSystem(content=rules["content"]), ChatMessageUser(content=first["content"])]
        samples.append(Sample(id=row["id"], input=prompt, metadata={"maze": row["maze"]}))
    return Task(
        dataset=MemoryDataset(samples, name=split),
        solver=walk(observation, tools, max_moves),
        scorer=walked(),
        config=GenerateConfig(max_tokens=max_tokens),
    )


@solver
def walk(observation: str, tools: bool, max_moves: int | None):
    """Turns of the model, each answered by the environment, until the walk is over."""

    async def solve(state, generate):
        env = MazeEnv(state.metadata["maze"], observation, max_moves)
        if tools:
            state.tools = tools_of(env)
        while not env.ended and not state.completed:
            state = await generate(state, tool_calls="none")
            calls = state.output.message.tool_calls or []
            if not tools:
                state.messages.append(ChatMessageUser(content=env.turn(state.output.completion)))
            elif not calls:
                state.messages.append(ChatMessageUser(content=env.calls([])))
            else:
                said = env.calls(
                    [(call.function, UNREADABLE if call.parse_error else call.arguments) for call in calls]
                )
                state.messages += [
                    ChatMessageTool(content=said, tool_call_id=call.id, function=call.function) for call in calls
                ]
        state.metadata["walk"] = env.result().to_dict()
        return state

    return solve


def tools_of(env: MazeEnv) -> list:
    """The three tools as all models are told about them; the solver executes the calls and refuses invalid ones."""

    def tool_of(name: str, description: str, parameters: dict) -> Tool:
        async def execute(**arguments) -> str:
            return env.call(name, arguments)

        return ToolDef(execute, name, description, ToolParams.model_validate(parameters)).as_tool()

    return [tool_of(**tool["function"]) for tool in TOOLS]


@scorer(metrics={figure: [mean(), stderr()] for figure in FIGURES})
def walked():
    """The figures of one walk."""

    async def score(state, target) -> Score:
        found = state.metadata["walk"]
        return Score(value={name: float(found[name]) for name in FIGURES}, answer=found["moves"], metadata=found)

    return score
