"""Texts as vectors: the embedder port and its default, which needs no network and no key."""

import asyncio
import importlib.util
import json
import math
import mmap
import struct
from array import array
from pathlib import Path
from typing import Any, Literal, Protocol

from loguru import logger

NO_VECTOR = b""
"""Where there is no vector: no embedder, or a text without a single known piece of a word."""


class Embedder(Protocol):
    """Turns texts into vectors of `dims` float32, little endian and of length 1, or into NO_VECTOR."""

    dims: int

    async def embed(self, texts: list[str]) -> list[bytes]:
        """One vector per text, in order."""


class NoEmbedder:
    """Words only: nothing is found by meaning."""

    dims = 0

    async def embed(self, texts: list[str]) -> list[bytes]:
        """NO_VECTOR for every text."""
        return [NO_VECTOR] * len(texts)


class WordLlamaEmbedder:
    """WordLlama's static vectors: 256 dimensions, well under a millisecond a text, loaded on first use."""

    dims = 256

    def __init__(self) -> None:
        self._table: _Table | None = None
        self._tried = False
        self._lock = asyncio.Lock()

    async def embed(self, texts: list[str]) -> list[bytes]:
        """One vector per text; NO_VECTOR for all of them when the package is not installed."""
        async with self._lock:
            if not self._tried:
                self._table = await asyncio.to_thread(_open)
                self._tried = True
        if self._table is None:
            return [NO_VECTOR] * len(texts)
        return await asyncio.to_thread(self._table.vectors, texts)


def embedder_called(name: Literal["wordllama", "none"]) -> Embedder:
    """The embedder that the setting EMBEDDER names."""
    return WordLlamaEmbedder() if name == "wordllama" else NoEmbedder()


class _Table:
    """WordLlama's own files: a tokenizer and one row of half floats per token.

    The weights stay on disk and only the rows in use are paged in. The package's loader gives the same
    vectors, but keeps all of them in memory twice, imports an HTTP client and sets up the root logger at
    INFO, which would print Telegram addresses with the token in them.
    """

    def __init__(self, folder: Path, dims: int) -> None:
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        self._tokenizer.no_truncation()
        with (folder / "weights" / f"l2_supercat_{dims}.safetensors").open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        # safetensors: the header's length, the header as JSON, then the numbers.
        (length,) = struct.unpack_from("<Q", self._bytes)
        tensor = json.loads(self._bytes[8 : 8 + length])["embedding.weight"]
        if tensor["dtype"] != "F16" or tensor["shape"][1] != dims:
            raise ValueError(f"the weights are {tensor['dtype']} {tensor['shape']}")
        self._start, self._last = 8 + length + tensor["data_offsets"][0], tensor["shape"][0] - 1
        self._row = struct.Struct(f"<{dims}e")

    def vectors(self, texts: list[str]) -> list[bytes]:
        """The mean of each text's token rows, scaled to length 1."""
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> bytes:
        tokens = self._tokenizer.encode(text, add_special_tokens=False).ids
        rows = (
            self._row.unpack_from(self._bytes, self._start + min(token, self._last) * self._row.size)
            for token in tokens
        )
        total = [sum(column) for column in zip(*rows, strict=True)]
        length = math.hypot(*total)
        return packed([value / length for value in total]) if length else NO_VECTOR


def packed(values: list[float]) -> bytes:
    """Numbers as float32, little endian: the form that is stored and that sqlite-vec reads."""
    return struct.pack(f"<{len(values)}f", *values)


def cosines(vector: bytes, others: list[bytes]) -> list[float]:
    """The cosine of one vector with each of the others, all of length 1: what sqlite-vec would say."""
    try:
        import numpy
    except ImportError:
        mine = unpacked(vector)
        return [sum(a * b for a, b in zip(mine, unpacked(other), strict=True)) for other in others]
    table = numpy.frombuffer(b"".join(others), dtype="<f4").reshape(len(others), -1)
    found: list[float] = (table @ numpy.frombuffer(vector, dtype="<f4")).tolist()
    return found


def unpacked(vector: bytes) -> "array[float] | tuple[float, ...]":
    """The numbers of a stored vector."""
    return struct.unpack(f"<{len(vector) // 4}f", vector)


def _open() -> _Table | None:
    # Found without importing it: only its files are wanted.
    spec = importlib.util.find_spec("wordllama")
    if spec is None or spec.origin is None:
        logger.warning("wordllama is not installed: memories are found by words only")
        return None
    try:
        return _Table(Path(spec.origin).parent, WordLlamaEmbedder.dims)
    except (ImportError, OSError, ValueError, KeyError, struct.error) as error:
        logger.warning("wordllama cannot be loaded ({}): memories are found by words only", error)
        return None
