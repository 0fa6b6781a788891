"""The metric on the Hub: pushed from its folder, loaded in a fresh process."""

import json
import shutil

from ascii_maze import metric_path

from .conftest import ORG

METRIC = f"{ORG}/path_validity"
LOAD = """
import json, sys
import evaluate
def loaded(**options):
    metric = evaluate.load(sys.argv[1], **options)
    return metric.description.strip(), metric.compute(predictions=["R R", "D"], references=["S G", "S G"])["valid"]
print(json.dumps([loaded(), loaded(revision=sys.argv[2]), loaded(revision="v1")]))
"""


def test_load_by_name_and_by_revision_in_a_fresh_process(push, run, tmp_path):
    folder = shutil.copytree(metric_path(), tmp_path / "source" / "path_validity")
    first = push(folder, "metric", METRIC, tag="v1")
    assert {"path_validity.py", "scoring.py", "maze.py", "svg.py", "app.py", "tests.py", "requirements.txt"} < set(
        first.sent
    )
    module = folder / "path_validity.py"
    module.write_text(module.read_text().replace("Whether paths", "If paths"))
    push(folder, "metric", METRIC)
    done = run("-c", LOAD, METRIC, first.commit)
    assert done.returncode == 0, done.stderr
    now, pinned, tagged = json.loads(done.stdout)
    assert now[0].startswith("If paths")
    assert pinned[0].startswith("Whether paths")
    assert pinned == tagged
    assert now[1] == pinned[1] == 0.5
