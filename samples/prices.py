"""The prices of five shares, first of each month, 2000 to 2010: the file `stocks.csv` of the wheel `vega_datasets`.

Only the file is read. The package itself is never imported, because it imports pandas.
Source: https://github.com/vega/vega-datasets (stocks.csv).
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


class DataMissing(Exception):
    """The wheel with the data is not installed. One line that says what to do."""


@dataclass(frozen=True)
class Price:
    """One closing price in US dollars."""

    day: date
    close: float

    def to_json(self) -> dict[str, str | float]:
        """`{date, close}`."""
        return {"date": self.day.isoformat(), "close": self.close}


class Prices:
    """Prices by symbol, oldest first."""

    def __init__(self, by_symbol: Mapping[str, tuple[Price, ...]]) -> None:
        self._by_symbol = by_symbol

    @property
    def symbols(self) -> list[str]:
        """The shares there are, sorted."""
        return sorted(self._by_symbol)

    def find(self, symbol: str, first: date = date.min, last: date = date.max) -> list[Price] | None:
        """The prices from `first` to `last`, both included; None for an unknown symbol."""
        known = self._by_symbol.get(symbol)
        return None if known is None else [price for price in known if first <= price.day <= last]


def read_prices(lines: Iterable[str]) -> Prices:
    """Read `symbol,date,price` lines with a heading; dates are written `Jan 1 2000`."""
    by_symbol: dict[str, list[Price]] = {}
    for row in csv.DictReader(lines):
        day = datetime.strptime(row["date"], "%b %d %Y").date()
        by_symbol.setdefault(row["symbol"], []).append(Price(day, float(row["price"])))
    return Prices({symbol: tuple(sorted(prices, key=lambda price: price.day)) for symbol, prices in by_symbol.items()})


def load_prices() -> Prices:
    """Read the wheel's file.

    Raises:
        DataMissing: the wheel is not installed.
    """
    try:
        file = Path(str(distribution("vega-datasets").locate_file("vega_datasets/_data/stocks.csv")))
    except PackageNotFoundError as error:
        raise DataMissing("The sample data is not installed; `make demo` installs it (requirements/samples.txt)") from error
    with file.open(encoding="utf-8", newline="") as lines:
        return read_prices(lines)
