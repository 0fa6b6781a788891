"""To the Hub: `plan_push` says what would be sent, `push` sends it. Nothing else in the package writes there."""

from .adapter import published_base
from .push import Pushed, check_target, push
from .shipment import Plan, plan_push

__all__ = ["Plan", "Pushed", "check_target", "plan_push", "published_base", "push"]
