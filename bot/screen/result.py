"""A read's result on screen, for people: no model has put it into words."""

from collections.abc import Callable

from pydantic import BaseModel

from bot.screen.charts import chart, chart_text
from bot.screen.render import escape
from bot.screen.view import Format, bold
from memory.text import escaped
from tools.gate.results import moments_of
from tools.kit.series import Chart, Series

LONGEST_LINE, MOST_LINES = 150, 20
LONGEST_TEXT = 3000


def result_text(name: str, found: BaseModel, form: Format, redact: Callable[[str], str]) -> str:
    """The texts that it lists, as code, whatever they say; where it lists none, its plain fields and its charts."""
    if isinstance(found, Chart):
        return redact(chart_text(found, form))
    fields = found.model_dump(mode="json", exclude_none=True, exclude={"name"})
    host = fields.pop("host", "")
    head = bold(escaped(name)) + (f" · {escape(host)}" if host else "")
    texts = [value for value in fields.values() if isinstance(value, list) and _are_texts(value)]
    if texts:
        # Redacted before anything is cut: half a secret would not be recognised.
        lines = [redact(line).replace("```", "'''")[:LONGEST_LINE] for text in texts for line in text]
        body = "\n".join(lines[-MOST_LINES:]) or "(nothing)"
        return f"{head}\n\n```\n{body}\n```"
    shown = {name: value for name, value in fields.items() if not isinstance(value, list | dict)}
    facts = form.facts({"shown": shown, "moments": moments_of(type(found))})
    drawn = [f"{name.replace('_', ' ')} {chart(each, form)}" for name, each in found if isinstance(each, Series)]
    said = "\n".join([*filter(None, [facts]), *drawn])
    return f"{head}\n{escape(escaped(redact(said))[:LONGEST_TEXT])}"


def _are_texts(value: list[object]) -> bool:
    return all(isinstance(item, str) for item in value)
