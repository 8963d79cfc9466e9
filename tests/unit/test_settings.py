"""The settings: their values, their defaults, and what an invalid value gives."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from conda_hardlink_plugin import settings
from conda_hardlink_plugin.exceptions import HardlinksError
from conda_hardlink_plugin.settings import Guard
from tests.support.forking import in_child
from tests.support.trees import write

pytestmark = pytest.mark.usefixtures("read_configuration")
INVALID_GUARD = "hardlinks_guard must be warn, block or off; using block instead"
INVALID_SUMMARY = "hardlinks_summary must be true or false; using True instead"


@pytest.fixture
def set_to(monkeypatch, read_configuration):
    """Return a function that sets a setting by its environment variable."""

    def set_to(name, value):
        monkeypatch.setenv(f"CONDA_PLUGINS_HARDLINKS_{name.upper()}", value)
        read_configuration()

    return set_to


@pytest.fixture
def condarc(tmp_path, read_configuration):
    """Return a function that writes the `plugins` part of a `.condarc`, as YAML in one line."""

    def condarc(text):
        read_configuration(write(f"{tmp_path}/.condarc", f"plugins: {{{text}}}\n".encode()))

    return condarc


def warnings_of(*functions):
    """Return the values of functions, and what they log, in a process that has logged nothing."""

    def run():
        lines = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record.getMessage())
        logging.getLogger("conda.hardlinks").addHandler(handler)
        return [function() for function in functions], lines

    return in_child(run)


def test_without_settings_the_summary_is_shown_and_the_guard_warns():
    assert settings.summary_enabled() is True
    assert settings.guard() is Guard.WARN
    assert settings.search() == settings.read_only_caches() == ()


@pytest.mark.parametrize(("text", "enabled"), [("true", True), ("false", False), ("no", False)])
def test_the_summary_can_be_turned_off(set_to, text, enabled):
    set_to("summary", text)
    assert settings.summary_enabled() is enabled


@pytest.mark.parametrize("value", Guard)
def test_the_guard_is_what_conda_writes_into_its_configuration(condarc, set_to, value):
    condarc(f"hardlinks_guard: {value}")
    assert settings.guard() is value
    set_to("guard", str(value))
    assert settings.guard() is value


@pytest.mark.parametrize("name", ["search", "read_only_caches"])
def test_folders_keep_their_order_and_their_text(condarc, name):
    condarc(f"hardlinks_{name}: [~/z, '/with space', \"/new\\nline\", /a]")
    assert getattr(settings, name)() == ("~/z", "/with space", "/new\nline", "/a")


@pytest.mark.parametrize("value", ["blok", '"\\x1b"', "3", "[block]", "{block: }", "[[block]]"])
def test_an_invalid_guard_blocks_and_is_reported_once(condarc, value):
    condarc(f"hardlinks_guard: {value}")
    assert warnings_of(settings.guard, settings.guard) == (
        [Guard.BLOCK, Guard.BLOCK],
        [f"hardlinks: the setting {INVALID_GUARD}"],
    )


@pytest.mark.parametrize("value", ["block", "3", "[hardlinks_guard: block]"])
def test_settings_that_are_not_below_their_names_are_invalid(tmp_path, read_configuration, value):
    read_configuration(write(f"{tmp_path}/.condarc", f"plugins: {value}\n".encode()))
    assert warnings_of(settings.guard, settings.summary_enabled) == (
        [Guard.BLOCK, True],
        [f"hardlinks: the setting {INVALID_GUARD}", f"hardlinks: the setting {INVALID_SUMMARY}"],
    )
    for folders in (settings.search, settings.read_only_caches):
        with pytest.raises(HardlinksError):
            folders()


@pytest.mark.parametrize("value", ["", "{}"])
def test_an_empty_list_of_settings_sets_nothing(tmp_path, read_configuration, value):
    read_configuration(write(f"{tmp_path}/.condarc", f"plugins: {value}\n".encode()))
    assert warnings_of(settings.guard, settings.search) == ([Guard.WARN, ()], [])


def test_a_conda_that_does_not_know_the_settings_has_their_defaults(mocker):
    mocker.patch("conda.base.context.Context.plugins", SimpleNamespace(other=1))
    assert warnings_of(
        settings.guard, settings.summary_enabled, settings.search, settings.read_only_caches
    ) == ([Guard.WARN, True, (), ()], [])


def test_an_invalid_summary_is_shown_and_does_not_change_the_guard(set_to):
    set_to("guard", "off")
    set_to("summary", "perhaps")
    assert warnings_of(settings.summary_enabled, settings.guard) == (
        [True, Guard.OFF],
        [f"hardlinks: the setting {INVALID_SUMMARY}"],
    )


@pytest.mark.parametrize("name", ["search", "read_only_caches"])
@pytest.mark.parametrize("value", ["/a", "3", "{/a: }", "[[/a]]", "[{/a: b}]"])
def test_folders_that_are_not_a_list_are_an_error_with_no_fallback(condarc, name, value):
    condarc(f"hardlinks_{name}: {value}")
    with pytest.raises(HardlinksError) as caught:
        getattr(settings, name)()
    assert str(caught.value) == (
        f"The setting hardlinks_{name} must be a list of folders: correct it in the `plugins` part"
        f" of your .condarc, or in CONDA_PLUGINS_HARDLINKS_{name.upper()}."
    )


def test_each_setting_that_is_read_is_known_to_conda():
    readers = ("summary", "guard", "search", "read_only_caches")
    names, descriptions, _ = zip(*settings.settings(), strict=True)
    assert list(names) == [f"hardlinks_{name}" for name in readers]
    assert all(text.endswith(".") for text in descriptions)
