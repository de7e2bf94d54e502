"""What a service and a tool are. A service file imports everything it needs from here."""

from pydantic import Field, SecretStr

from tools.kit.answers import at
from tools.kit.backups import Backup, Guest, Judged, Verdict, judged
from tools.kit.change import Broken, Call, Change, Done, Facts, Shown, Taken, Task, Tolerance, later
from tools.kit.context import Access, Context, Deed
from tools.kit.contributions import Contributed, Identity, NamedOutside, Told, at_home, those_of
from tools.kit.errors import (
    BadAnswer,
    CircuitOpen,
    Conflict,
    Gone,
    NoAnswer,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ToolFailed,
    Unauthorised,
    Unreachable,
    one_by_one,
    or_else,
    partly,
)
from tools.kit.glance import Glance, Note, Trouble
from tools.kit.http import Api
from tools.kit.instances import Answers, Down, Instances, Listing, Which, listed
from tools.kit.link import Link
from tools.kit.login import Login
from tools.kit.page import Dot, Page, Row
from tools.kit.series import Chart, Curve, Series, Span
from tools.kit.service import Area, Risk, Service, Tool
from tools.kit.settings import Addresses, HttpSettings, Secrets, ServiceSettings
from tools.kit.threads import Threads
from tools.kit.types import Ident, Outside, Own, Resolve, Result, Target
from tools.kit.values import Cidr, Count, Domain, Ip, IPv4, IPv6, Mac, Minutes, NetId, Percent, Port
from tools.kit.words import countdown, counted, so_far

__all__ = [
    "Access", "Addresses", "Answers", "Api", "Area", "at", "at_home", "Backup", "BadAnswer", "Broken", "Call", "Change",
    "Chart", "Cidr", "CircuitOpen", "Conflict", "Context", "Contributed", "Count", "countdown", "counted", "Curve",
    "Deed", "Domain", "Done", "Dot", "Down", "Facts", "Field", "Glance", "Gone", "Guest", "HttpSettings", "Ident",
    "Identity", "Instances", "Ip", "IPv4", "IPv6", "Judged", "judged", "later", "Link", "listed", "Listing", "Login",
    "Mac", "Minutes", "NamedOutside", "NetId", "NoAnswer", "Note", "one_by_one", "or_else", "OutcomeUnknown", "Outside",
    "Own", "Page", "partly", "Percent", "Port", "RateLimited", "Refused", "Resolve", "Result", "Risk", "Row", "Secrets",
    "SecretStr", "Series", "Service", "ServiceSettings", "Shown", "so_far", "Span", "Taken", "Target", "Task",
    "those_of", "Threads", "Told", "Tolerance", "Tool", "ToolFailed", "Trouble", "Unauthorised", "Unreachable",
    "Verdict", "Which",
]  # fmt: skip
