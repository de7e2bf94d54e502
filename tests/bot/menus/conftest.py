"""A house whose menus are open."""

import pytest

from tests.bot.menus.pressing import Menus
from tests.bot.menus.test_commands import a_counter
from tests.house import House


@pytest.fixture
def menus(house: House) -> Menus:
    return Menus(house, a_counter(house).commands)
