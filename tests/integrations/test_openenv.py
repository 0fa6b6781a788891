"""The real OpenEnv: in this process and over the wire, the reward and the score are those of `MazeEnv`.

Run by `tests/integrations/run.py` in an environment of its own, where nothing is skipped.
"""

import threading
import time

import pytest

from .episodes import episodes, ours

pytest.importorskip("openenv.core")
uvicorn = pytest.importorskip("uvicorn")

from openenv.core.env_server.types import State  # noqa: E402

from ascii_maze.environment.env import WRONG_STEPS, MazeEnv  # noqa: E402
from ascii_maze.environment.observations import Observation  # noqa: E402
from ascii_maze.environment.prompts import step_rules  # noqa: E402
from ascii_maze.errors import UsageError  # noqa: E402
from ascii_maze.integrations.openenv.client import AsciiMazeClient  # noqa: E402
from ascii_maze.integrations.openenv.models import MazeAction  # noqa: E402
from ascii_maze.integrations.openenv.server import AsciiMazeEnvironment, app  # noqa: E402
from ascii_maze.integrations.seeded import maze_of_seed  # noqa: E402

COUNT = 24


@pytest.fixture(scope="module")
def url():
    """A server on a free port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_in_this_process(monkeypatch):
    for maze, observation, turns in episodes(COUNT):
        environment = AsciiMazeEnvironment()
        shown = environment.reset(maze=maze, observation=observation)
        assert (shown.text, shown.done) == (MazeEnv(maze, observation).first, False)
        for turn in turns:
            assert not shown.done
            shown = environment.step(MazeAction(turn=turn))
        expected = ours(maze, observation, turns)
        assert (shown.done, shown.reward, shown.result) == (True, expected["reward"], expected)
        assert environment.state.step_count == expected["turns"]


def test_over_the_wire(url):
    with AsciiMazeClient(base_url=url).sync() as client:
        for maze, observation, turns in episodes(COUNT):
            env, shown = MazeEnv(maze, observation), client.reset(maze=maze, observation=observation)
            assert shown.observation.text == env.first
            assert shown.observation.rules == step_rules(Observation.parse(observation))
            for turn in turns:
                shown = client.step(MazeAction(turn=turn))
                assert shown.observation.text == env.turn(turn)
                assert shown.done == bool(env.ended)
                assert shown.reward == (env.result().reward if env.ended else 0)
            assert shown.observation.result == ours(maze, observation, turns)
            state = client.state()
            assert isinstance(state, State)
            assert "#" not in str(state.model_dump())  # nothing of the maze


def test_tool_calls_and_junk_over_the_wire(url):
    maze = maze_of_seed(5)
    env = MazeEnv(maze, "local")
    with AsciiMazeClient(base_url=url).sync() as client:
        shown = client.reset(seed=5, observation="local", tools=True)
        assert shown.observation.text == env.first
        assert "tool call" in shown.observation.rules
        far, down = {"direction": "R", "steps": 1e9}, {"direction": "D"}
        for tool, arguments in (("look", None), ("move", far), ("fly", 3), ("move", down)):
            shown = client.step(MazeAction(tool=tool, arguments=arguments))
            assert shown.observation.text == env.call(tool, arguments)
        shown = client.step(MazeAction(tool="move", arguments={"direction": "U", "steps": 2.5}))
        assert shown.observation.text == WRONG_STEPS


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"split": "test"}, "takes no 'split'"),
        ({"wdith": 4}, "takes no 'wdith'"),
        ({"width": 51}, "51x5 cells are too many"),
        ({"width": 2.5}, "width"),
        ({"maze": 5}, "maze is 5"),
        ({"maze": 0}, "maze is 0"),
        ({"maze": "#" * 20_000}, "the maze has 20,000 characters"),
        ({"observation": 5}, "observation is 5"),
        ({"max_moves": 2.5}, "max_moves is 2.5"),
    ],
)
def test_what_reset_does_not_take_is_refused(arguments, said):
    with pytest.raises((UsageError, ValueError), match=said):
        AsciiMazeEnvironment().reset(**arguments)


def test_a_walk_that_is_over_earns_nothing_more():
    environment = AsciiMazeEnvironment()
    environment.reset(maze="#####\n#S G#\n#####", observation="full")
    first, again = (environment.step(MazeAction(turn="R R")) for _ in range(2))
    assert (first.done, first.reward > 1, again.done, again.reward) == (True, True, True, 0.0)


def test_walks_at_the_same_time_do_not_meet(url):
    (one, seen, turns), (other, _, _) = list(episodes(4))[:2]
    with AsciiMazeClient(base_url=url).sync() as first, AsciiMazeClient(base_url=url).sync() as second:
        first.reset(maze=one, observation=seen)
        second.reset(maze=other, observation="full")
        for turn in turns:
            shown = first.step(MazeAction(turn=turn))
            second.step(MazeAction(turn="look"))
        assert shown.observation.result == ours(one, seen, turns)
