"""Discovery: whatever lies in `tools/` is a service, and no two tools share a name."""

import types

import pytest

from tests.rack import fake_services
from tools.kit import registry


def test_every_module_is_found_in_order() -> None:
    found = [service.name for service in registry.discover()]
    assert found == sorted(found) and {"docker", "memory"} <= set(found)


def test_a_module_without_a_service_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def importing(name: str) -> types.ModuleType:
        return types.ModuleType(name)

    monkeypatch.setattr(registry.importlib, "import_module", importing)
    with pytest.raises(registry.BrokenService, match="has no `service`"):
        registry.discover()


def test_an_import_error_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def importing(name: str) -> types.ModuleType:
        raise ImportError(name)

    monkeypatch.setattr(registry.importlib, "import_module", importing)
    with pytest.raises(ImportError):
        registry.discover()


def test_two_tools_of_one_name_are_an_error() -> None:
    with pytest.raises(registry.BrokenService, match="Two tools are called rack_"):
        registry.catalogue([fake_services()[0], fake_services()[0]])
