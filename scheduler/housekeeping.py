"""What is thrown away and what is brought up to date, every hour."""

from memory.retention import Keep, Retention
from memory.stores import Stores


async def tidy(stores: Stores, keep: Keep) -> None:
    """Forget what is old; give memories the vectors that they lack, as after a new EMBEDDER."""
    await Retention(stores.database, stores.audit, keep).prune()
    await stores.inbox.prune()
    await stores.nets.prune()
    while await stores.knowledge.reindex():
        pass  # a batch at a time, so that writers get their turn
