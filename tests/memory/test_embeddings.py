"""Vectors: what they mean, what they are on disk, and what happens without the package."""

import importlib.util
import logging
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from memory.embeddings import (
    NO_VECTOR,
    NoEmbedder,
    WordLlamaEmbedder,
    cosines,
    embedder_called,
    packed,
    unpacked,
)


async def test_vectors_are_float32_of_length_one() -> None:
    embedder = WordLlamaEmbedder()
    vectors = await embedder.embed(["The guest network sleeps at night.", "disk"])
    for vector in vectors:
        numbers = unpacked(vector)
        assert len(numbers) == embedder.dims == 256
        assert math.hypot(*numbers) == pytest.approx(1, abs=1e-5)


async def test_near_in_meaning_is_near_in_numbers() -> None:
    text, paraphrase, other = await WordLlamaEmbedder().embed(
        ["The wireless network is slow.", "Wifi has low speed.", "Bake the cake for an hour."]
    )
    near, far = cosines(text, [paraphrase, other])
    assert near > far + 0.2


async def test_same_vectors_as_the_package_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [*root.handlers, logging.NullHandler()])  # or its import would set one up
    import wordllama

    oracle = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    texts = ["NAS on 10.0.0.5", "ünïcödé 🙂, 日本語 and\nlines", "a", "word " * 600]
    expected = oracle.embed(texts, norm=True)
    for ours, theirs in zip(await WordLlamaEmbedder().embed(texts), expected, strict=True):
        assert unpacked(ours) == pytest.approx([float(value) for value in theirs], abs=1e-5)


async def test_a_text_without_any_token_has_no_vector() -> None:
    assert await WordLlamaEmbedder().embed(["", "disk"]) == [NO_VECTOR, (await WordLlamaEmbedder().embed(["disk"]))[0]]


async def test_the_weights_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    find = importlib.util.find_spec

    def spy(name: str) -> Any:
        asked.append(name)
        return find(name)

    monkeypatch.setattr(importlib.util, "find_spec", spy)
    embedder = WordLlamaEmbedder()
    assert asked == []
    first = await embedder.embed(["disk"])
    assert await embedder.embed(["disk"]) == first
    assert asked == ["wordllama"]


async def test_the_package_may_be_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert await WordLlamaEmbedder().embed(["disk", "fan"]) == [NO_VECTOR, NO_VECTOR]


async def test_the_tokenizer_may_be_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert await WordLlamaEmbedder().embed(["disk"]) == [NO_VECTOR]


async def test_damaged_weights_are_survived(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    original = importlib.util.find_spec("wordllama")
    assert original is not None and original.origin is not None
    source = Path(original.origin).parent
    (tmp_path / "tokenizers").symlink_to(source / "tokenizers")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "l2_supercat_256.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not the JSON one expects")
    spec = importlib.util.spec_from_file_location("wordllama", tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert await WordLlamaEmbedder().embed(["disk"]) == [NO_VECTOR]


async def test_the_setting_names_the_embedder() -> None:
    assert isinstance(embedder_called("wordllama"), WordLlamaEmbedder)
    none = embedder_called("none")
    assert isinstance(none, NoEmbedder)
    assert await none.embed(["disk"]) == [NO_VECTOR]


def test_cosines_with_and_without_numpy_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    table = [packed([0.6, 0.8]), packed([1, 0]), packed([-0.8, 0.6])]
    fast = cosines(table[0], table)
    monkeypatch.setitem(sys.modules, "numpy", None)
    slow = cosines(table[0], table)
    assert fast == pytest.approx(slow, abs=1e-6)
    assert slow == pytest.approx([1.0, 0.6, 0.0], abs=1e-6)
