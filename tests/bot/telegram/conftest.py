"""What the tests of the chat share."""

from collections.abc import AsyncIterator

import pytest

from tests.bot.telegram.phone import Phone
from tests.house import House


@pytest.fixture
async def phone(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Phone]:
    monkeypatch.setattr("bot.telegram.progress.PATIENCE", 0.0)
    monkeypatch.setattr("bot.telegram.delivery.LONGEST_BACKOFF", 0.01)
    phone = Phone(house)
    yield phone
    await phone.close()
