"""The models on offer, and the rules that differ between them."""

from dataclasses import dataclass
from typing import Any

from lab.claude.errors import ApiError


@dataclass(frozen=True)
class Model:
    """What one model accepts and how it is listed."""

    id: str
    name: str
    context: int
    output: int
    created: str
    preserved_thinking: bool = True
    """From the 5.x family on: adaptive thinking, append-only history and mid-conversation system messages, but
    no thinking budgets, no forced tools and no prefill."""
    always_thinks: bool = True
    """Thinking without being asked; `disabled` is refused."""
    between_tools: bool = False
    min_cache_tokens: int = 512
    retires: str | None = None


MODELS = {
    model.id: model
    for model in (
        Model(
            "claude-haiku-5-5",
            "Claude Haiku 5.5",
            1_000_000,
            128_000,
            "2026-10-15T00:00:00Z",
            always_thinks=False,
        ),
        Model(
            "claude-sonnet-5-5",
            "Claude Sonnet 5.5",
            1_000_000,
            128_000,
            "2026-09-22T00:00:00Z",
            between_tools=True,
        ),
        Model("claude-opus-5-5", "Claude Opus 5.5", 1_000_000, 128_000, "2026-09-22T00:00:00Z"),
        Model("claude-fable-5-2", "Claude Fable 5.2", 1_000_000, 128_000, "2026-10-01T00:00:00Z"),
        Model(
            "claude-haiku-4-5",
            "Claude Haiku 4.5",
            200_000,
            64_000,
            "2025-10-01T00:00:00Z",
            preserved_thinking=False,
            always_thinks=False,
            min_cache_tokens=4096,
        ),
        Model(
            "claude-sonnet-4-5",
            "Claude Sonnet 4.5",
            200_000,
            64_000,
            "2025-09-29T00:00:00Z",
            preserved_thinking=False,
            always_thinks=False,
            min_cache_tokens=1024,
            retires="2026-11-30T00:00:00Z",
        ),
    )
}


def find_model(model_id: Any) -> Model:
    """The model with this id; a 404 when there is none, as the API answers."""
    if isinstance(model_id, str) and model_id in MODELS:
        return MODELS[model_id]
    raise ApiError(404, f"model: {model_id}")


def model_info(model: Model) -> dict[str, Any]:
    """One entry of the models list."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": model.created,
        "lifecycle": "deprecated" if model.retires else "active",
        "deprecated_at": model.created if model.retires else None,
        "retires_at": model.retires,
        "line": model.id.split("-")[1],
        "max_input_tokens": model.context,
        "max_tokens": model.output,
        "capabilities": None,
    }
