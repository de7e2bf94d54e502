"""Addresses with what belongs to each; a setting that cannot work is said, without quoting it."""

import json
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bot.settings.settings import secret_values
from tools.kit import HttpSettings, Secrets


class Settings(HttpSettings, env_prefix="LAMP_"):
    """A service with a credential."""

    password: Secrets = {}
    """What opens it."""


def of(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def test_one_address_is_called_by_its_host() -> None:
    [place] = of(url=" https://lamp.lan:8443/ ", ca_file="/etc/ca.pem").places()
    assert (place.name, place.url, place.ca_file) == ("lamp.lan", "https://lamp.lan:8443/", "/etc/ca.pem")


def test_no_address_turns_it_off() -> None:
    assert not of().configured and not of(url="").configured and of(url="http://a").configured


def test_several_addresses_by_commas_or_by_name() -> None:
    assert of(url="http://a, http://b:1,http://b:2").url == {"a": "http://a", "b": "http://b:1", "b-2": "http://b:2"}
    named = {"upstairs": "http://192.0.2.1", "cellar": "http://[2001:db8::1]:81"}
    assert of(url=json.dumps(named)).url == named
    assert list(of(url="http://[2001:db8::1]").url) == ["2001-db8--1"]


def test_a_credential_holds_for_all_or_for_each() -> None:
    urls = json.dumps({"a": "http://a", "b": "http://b"})
    assert [of(url=urls, password=" one \n").secret("password", name) for name in "ab"] == ["one", "one"]
    each = of(url=urls, password=json.dumps({"a": "first1", "b": "second"}), fingerprint=json.dumps({"b": "f0"}))
    assert [each.secret("password", name) for name in "ab"] == ["first1", "second"]
    assert [place.fingerprint for place in each.places()] == ["", "f0"]
    assert sorted(secret_values(each)) == ["first1", "second"], "the redactor knows each"
    assert isinstance(each.password["a"], SecretStr) and "first1" not in repr(each)


@pytest.mark.parametrize(
    "url",
    [
        "lamp.lan", "ftp://a", "http://", "http://a b", "http://me:hunter22@a", "http://a?key=hunter22", "http://a#x",
        "http://a:99999", "http://a,http://a", '{"x": "http://a", "y": "http://a/"}', '{"two words": "http://a"}',
        '{"x": 1}', '{"x": "http://a", "x": "http://b"}', "{broken", "http://a\u202e",
    ],
)  # fmt: skip
def test_what_cannot_be_an_address_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ValidationError) as error:
        of(url=url)
    assert "hunter22" not in str(error.value)
