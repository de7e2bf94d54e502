"""What every twin is made of: a simulated service that behaves over HTTP like the real one."""

from lab.kit.intents import Intent
from lab.kit.rest import Answer, Asked, Json, Refusal, Sessions, api, etag
from lab.kit.store import Store
from lab.kit.tasks import Task, Tasks
from lab.kit.twin import Twin

__all__ = ["Answer", "Asked", "Intent", "Json", "Refusal", "Sessions", "Store", "Task", "Tasks", "Twin", "api", "etag"]
