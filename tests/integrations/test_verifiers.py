"""The real verifiers: a whole rollout against a model on this machine gives the reward and the score of `MazeEnv`.

The model is a server that answers as OpenAI's does. verifiers runs its chat program by `uv`, which would fetch
packages; in its place stands a script that says that this very Python has them.

Run by `tests/integrations/run.py` in an environment of its own, where nothing is skipped.
"""

import asyncio
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .episodes import episodes, ours

vf = pytest.importorskip("verifiers.v1")

from ascii_maze.environment.env import MazeEnv  # noqa: E402
from ascii_maze.environment.observations import Observation  # noqa: E402
from ascii_maze.environment.prompts import step_rules  # noqa: E402
from ascii_maze.integrations.verifiers_env import MazeData, MazeTask, load_environment  # noqa: E402

COUNT, LONGEST = 2, 2  # verifiers starts a process for each turn
USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")
UV = f"""#!/bin/sh
case "$*" in
*--help*) echo --script ;;
"python find"*) echo {sys.executable} ;;
esac
"""


class Model(BaseHTTPRequestHandler):
    """Gives the turns of the episode whose first observation and rules it is shown, one after the other."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        messages = asked["messages"]
        said = sum(message["role"] == "assistant" for message in messages)
        self.server.seen.append(messages)
        answer = {"id": "x", "created": 0, "model": "m", "usage": dict.fromkeys(USAGE, 1)}
        message, whole = {"role": "assistant", "content": self.server.turns[said]}, not asked.get("stream")
        choice = {"index": 0, "message" if whole else "delta": message, "finish_reason": "stop"}
        answer |= {"object": "chat.completion" if whole else "chat.completion.chunk", "choices": [choice]}
        text = json.dumps(answer)
        body = (text if whole else f"data: {text}\n\ndata: [DONE]\n\n").encode()
        self.send_response(200)
        self.send_header("content-type", "application/json" if whole else "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model on a free port of this machine, and a `uv` that fetches nothing."""
    (tmp_path / "uv").write_text(UV)
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_KEY", "none")
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        server.seen, server.turns = [], []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_rollout_gives_the_same_reward_and_score(model):
    client = vf.EvalClientConfig(base_url=f"http://127.0.0.1:{model.server_port}/v1", api_key_var="NO_KEY")
    context = vf.ModelContext(model="m", client=client)
    environment = load_environment(count=1)

    async def walk():
        async with environment.serving():
            for maze, observation, turns in episodes(COUNT, LONGEST):
                env, model.turns, model.seen = MazeEnv(maze, observation), turns, []
                rules = step_rules(Observation.parse(observation))
                data = MazeData(prompt=env.first, system_prompt=rules, maze=maze, observation=observation)
                episode = await environment.run_episode(MazeTask(data), context)
                assert episode.ok, [*episode.errors, *(trace.errors for trace in episode.traces)]
                (trace,) = episode.traces
                expected = ours(maze, observation, turns)
                assert trace.rewards["walk"].score == expected["reward"]
                assert (trace.info["moves"], trace.info["ended"]) == (expected["moves"], expected["ended"])
                for name, value in trace.metrics.items():
                    if name in expected:
                        assert value == expected[name]
                assert {"spl", "turns", "loops", "valid", "reaches_goal", "wall_hits"} <= set(trace.metrics)
                assert model.seen[0][0]["content"].startswith(rules)
                read = [message["content"] for message in model.seen[-1] if message["role"] == "user"]
                assert read == [env.first, *(env.turn(turn) for turn in turns[:-1])]

    asyncio.run(walk())


def test_the_tasks_are_mazes_of_the_split(tmp_path):
    environment = load_environment(count=5, observation="local", width=3, height=4, seed=7)
    tasks = list(environment.taskset)
    assert len({task.data.maze for task in tasks}) == 5
    assert tasks[0].data.prompt == MazeEnv(tasks[0].data.maze, "local").first
    assert "#" not in tasks[0].data.prompt + tasks[0].data.system_prompt
    assert [task.data.maze for task in environment.taskset] == [task.data.maze for task in tasks]
