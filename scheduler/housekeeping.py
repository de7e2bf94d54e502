"""What is thrown away, and when."""

from memory.stores import Stores


async def tidy(stores: Stores) -> None:
    """Forget old updates and lapsed undo nets."""
    await stores.inbox.prune()
    await stores.nets.prune()
