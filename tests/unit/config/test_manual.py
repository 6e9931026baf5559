"""docs/operations.md names every variable as the settings declare it."""

from config import manual


def test_the_table_in_the_manual_is_what_the_settings_say() -> None:
    text = manual.OPERATIONS.read_text()
    assert manual.rewrite(text) == text, "run `python -m config.manual`"


def test_every_variable_stands_in_the_table() -> None:
    assert "| `DATABASE_URL` or `POSTGRES_URL` | url | not set |" in manual.render()
    assert "| `PORT` | port | `3001` |" in manual.render()
