"""What is thrown away, and what is brought up to date."""

from memory.stores import Stores


async def tidy(stores: Stores) -> None:
    """Forget old updates and lapsed undo nets; give memories the vectors they lack, since another EMBEDDER, say."""
    await stores.inbox.prune()
    await stores.nets.prune()
    while await stores.knowledge.reindex():
        pass  # a batch at a time, so that writers get their turn
