"""Publishing on the Hub: `plan_push` plans a push, `push` carries it out; nothing else here writes to the Hub.

kinds.py        what can be published, and how its files are changed for publication
shipment.py     a folder -> the files, card and checks of a push, offline
push.py         the one commit; retry.py: what is retried, and errors in one line
rules.py        the Hub's rules for metadata; secrets.py, local_paths.py: what is never published
benchmark.py    eval.yaml of a dataset, and the ids of its tasks
cards.py        the card of an adapter; evidence.py, model_index.py: the results in it
"""

from .adapter import published_base
from .kinds import shipped_folder
from .push import Pushed, check_target, push
from .shipment import Plan, check_repo_name, plan_push

__all__ = [
    "Plan",
    "Pushed",
    "check_repo_name",
    "check_target",
    "plan_push",
    "published_base",
    "push",
    "shipped_folder",
]
