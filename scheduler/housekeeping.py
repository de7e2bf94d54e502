"""What is thrown away and what is brought up to date, every hour."""

from memory.stores import Stores


async def tidy(stores: Stores) -> None:
    """Forget old updates and lapsed undo nets; give memories the vectors that they lack, as after a new EMBEDDER."""
    await stores.inbox.prune()
    await stores.nets.prune()
    while await stores.knowledge.reindex():
        pass  # a batch at a time, so that writers get their turn
