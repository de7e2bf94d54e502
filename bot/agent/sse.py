"""Server-sent events, as far as a reply uses them: a name and a line of data, or several."""

from collections.abc import AsyncGenerator, AsyncIterator


async def events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[tuple[str, str], None]:
    """The name and the data of each event that has come whole, however the stream was cut into chunks.

    Raises UnicodeDecodeError.
    """
    rest, name, data = b"", "", list[str]()
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in (line.removesuffix(b"\r").decode() for line in lines):
            field, _, value = line.partition(":")
            if field == "data":
                data.append(value.removeprefix(" "))
            elif field == "event":
                name = value.removeprefix(" ")
            elif not line:
                if text := "\n".join(data):
                    yield name, text
                name, data = "", []
