"""What the Messages API refuses with a 400: parameters, tools, thinking and cache marks."""

from typing import Any

from lab.claude.errors import bad_request
from lab.claude.history import TOOL_NAME, check_messages
from lab.claude.models import Model
from lab.claude.prefix import blocks_of, ttl_of
from lab.claude.reply import Json

PARAMETERS = {
    *("model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "stream", "metadata"),
    *("cache_control", "container", "diagnostics", "inference_geo", "output_config", "service_tier", "speed"),
    "stop_sequences",
}
SAMPLING = ("temperature", "top_p", "top_k")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
TOOL_KEYS = {
    *("name", "description", "input_schema", "strict", "input_examples", "defer_loading", "allowed_callers"),
    *("cache_control", "eager_input_streaming", "type"),
}
MAX_BREAKPOINTS = 4


def check(request: Json, model: Model, *, counting: bool = False) -> None:
    """Refuse what the API would refuse, in its words; `counting` is a count_tokens request."""
    _check_parameters(request, model, counting)
    _check_system(request.get("system"))
    _check_tools(request.get("tools") or [])
    _check_tool_choice(request, model)
    _check_thinking(request, model)
    check_messages(request, model)
    _check_breakpoints(request)


def _check_parameters(request: Json, model: Model, counting: bool) -> None:
    for name in request:
        if name in SAMPLING:
            bad_request(f"`{name}` is not supported on this model.")
        if name not in PARAMETERS:
            bad_request(f"{name}: Extra inputs are not permitted")
    if not counting:
        _check_max_tokens(request, model)
    if not isinstance(request.get("messages"), list):
        bad_request("messages: Field required")
    if not request["messages"]:
        bad_request("messages: at least one message is required")
    effort = (request.get("output_config") or {}).get("effort")
    if effort is not None and not model.preserved_thinking:
        bad_request("This model does not support the effort parameter.")
    if effort is not None and effort not in EFFORTS:
        bad_request(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")


def _check_max_tokens(request: Json, model: Model) -> None:
    limit = request.get("max_tokens")
    if limit is None:
        bad_request("max_tokens: Field required")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        bad_request("max_tokens: Input should be a valid integer, 0 or greater")
    if limit > model.output:
        bad_request(f"max_tokens: {limit} > {model.output}, the maximum allowed for {model.id}")


def _check_system(system: Any) -> None:
    if system is None or isinstance(system, str):
        return
    for index, block in enumerate(system):
        if block.get("type") != "text":
            bad_request(f"system.{index}.type: Input should be 'text'")
        if not block.get("text", "").strip():
            bad_request("system: text content blocks must be non-empty")


def _check_tools(tools: list[Json]) -> None:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        name = tool.get("name")
        if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
            bad_request(f"tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if name in names:
            bad_request("tools: Tool names must be unique.")
        names.add(name)
        if tool.get("type", "custom") == "custom":
            _check_custom_tool(index, tool)
    if tools and all(tool.get("defer_loading") for tool in tools):
        bad_request("At least one tool must have defer_loading=false.")


def _check_custom_tool(index: int, tool: Json) -> None:
    where = f"tools.{index}.custom"
    for key in tool:
        if key not in TOOL_KEYS:
            bad_request(f"{where}.{key}: Extra inputs are not permitted")
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        bad_request(f"{where}.input_schema: Field required")
    if schema.get("type") != "object":
        bad_request(f"{where}.input_schema.type: Input should be 'object'")
    if tool.get("strict") and schema.get("additionalProperties") is not False:
        bad_request(f"{where}: For strict tools, 'additionalProperties' must be explicitly set to false")
    if tool.get("defer_loading") and tool.get("cache_control"):
        bad_request(f"Tool '{tool['name']}' cannot have both defer_loading=true and cache_control set.")


def _check_tool_choice(request: Json, model: Model) -> None:
    choice = request.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        bad_request("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    tools = request.get("tools")
    if not tools:
        bad_request("tool_choice: may only be specified while providing tools")
    if kind in ("any", "tool") and model.preserved_thinking:
        bad_request(f"tool_choice: forced tool use ('{kind}') is not supported on {model.id}.")
    if kind in ("any", "tool") and (request.get("thinking") or {}).get("type") == "enabled":
        bad_request("Thinking may not be enabled when tool_choice forces tool use.")
    if kind == "tool" and choice.get("name") not in {tool["name"] for tool in tools}:
        bad_request(f"Tool '{choice.get('name')}' not found in provided tools")


def _check_thinking(request: Json, model: Model) -> None:
    thinking = request.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    if kind not in ("adaptive", "between_tools", "enabled", "disabled"):
        bad_request(f"thinking.type: '{kind}' is not one of adaptive, between_tools, enabled, disabled")
    if model.preserved_thinking:
        _check_adaptive(request, model, kind)
    elif kind in ("adaptive", "between_tools"):
        bad_request(f"thinking.type: '{kind}' is not supported on {model.id}.")
    elif kind == "enabled":
        _check_budget(thinking.get("budget_tokens"), request.get("max_tokens"))


def _check_adaptive(request: Json, model: Model, kind: str) -> None:
    high_effort = (request.get("output_config") or {}).get("effort") in ("xhigh", "max")
    if kind == "enabled":
        bad_request(f"thinking.type: 'enabled' with budget_tokens is not supported on {model.id}. Use 'adaptive'.")
    if kind == "between_tools" and not model.between_tools:
        bad_request(f"thinking.type: 'between_tools' is not supported on {model.id}.")
    if kind == "disabled" and model.always_thinks:
        bad_request(f"thinking.type: 'disabled' is not supported on {model.id}.")
    if kind in ("between_tools", "disabled") and high_effort:
        bad_request(f"thinking.type: '{kind}' requires an effort of high or lower.")


def _check_budget(budget: Any, max_tokens: int | None) -> None:
    if not isinstance(budget, int) or budget < 1024:
        bad_request("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if max_tokens is not None and budget >= max_tokens:
        bad_request("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_breakpoints(request: Json) -> None:
    marked = [*(request.get("tools") or []), *blocks_of(request.get("system") or [])]
    marked += [block for message in request["messages"] for block in blocks_of(message["content"])]
    ttls = [ttl for ttl in map(ttl_of, marked) if ttl]
    if control := request.get("cache_control"):
        ttls.append(control.get("ttl", "5m"))
    if any(ttl not in ("5m", "1h") for ttl in ttls):
        bad_request("cache_control.ephemeral.ttl: Input should be '5m' or '1h'")
    if len(ttls) > MAX_BREAKPOINTS:
        bad_request(f"A maximum of 4 blocks with cache_control may be provided. Found {len(ttls)}.")
    if "5m" in ttls and "1h" in ttls[ttls.index("5m") :]:
        bad_request("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.")
