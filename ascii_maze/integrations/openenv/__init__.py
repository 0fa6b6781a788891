"""The maze as an OpenEnv environment: `client.AsciiMazeClient` here, `server.app` in a container, or in this process.

    uvicorn ascii_maze.integrations.openenv.server:app --port 8000

    from ascii_maze.integrations.openenv.client import AsciiMazeClient
    from ascii_maze.integrations.openenv.models import MazeAction

    with AsciiMazeClient(base_url="http://localhost:8000").sync() as env:
        result = env.reset(seed=7, observation="window:2")
        result = env.step(MazeAction(turn="R R D"))

Needs `pip install "ascii-maze[openenv]"`.
"""
