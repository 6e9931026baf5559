"""The upstream service of the demo: share prices over HTTP, and one capability that flows can use as a node type.

GET  /health                                → {"status": "healthy"}
GET  /symbols                               → {"symbols": [...]}
GET  /prices/{symbol}?from=&to=             → {"symbol", "prices": [{"date", "close"}]}; 404 for an unknown symbol
POST /nodes/moving_average  {"config": {"prices": [...], "window": n}, …}
                                            → {"window", "last", "lastDate", "average", "previousAverage"}
"""

from datetime import date
from statistics import fmean
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, HTTPException, NotFound

from samples.prices import Prices

NAME = "prices"
CAPABILITY = "moving_average"


def create_prices_service(prices: Prices) -> Flask:
    """The Flask application; it holds nothing but the prices."""
    app = Flask("prices")

    @app.get("/health")
    def health() -> Response:
        return jsonify(status="healthy")

    @app.get("/symbols")
    def symbols() -> Response:
        return jsonify(symbols=prices.symbols)

    @app.get("/prices/<symbol>")
    def show(symbol: str) -> Response:
        found = prices.find(symbol, _day("from", date.min), _day("to", date.max))
        if found is None:
            raise NotFound(f"No prices of {symbol}")
        return jsonify(symbol=symbol, prices=[price.to_json() for price in found])

    @app.post(f"/nodes/{CAPABILITY}")
    def moving_average() -> Response:
        body = request.get_json()
        return jsonify(average_of(body.get("config") if isinstance(body, dict) else None))

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> ResponseReturnValue:
        return jsonify(title=error.name, status=error.code, detail=error.description), error.code or 500

    return app


def average_of(config: object) -> dict[str, Any]:
    """The moving average at the last two points.

    Raises:
        BadRequest: no prices, or a window that does not fit them.
    """
    prices, window = (config.get("prices"), config.get("window")) if isinstance(config, dict) else (None, None)
    if not isinstance(prices, list) or not all(
        isinstance(price, dict) and isinstance(price.get("close"), (int, float)) for price in prices
    ):
        raise BadRequest("config.prices must be a list of {date, close}")
    if isinstance(window, bool) or not isinstance(window, int) or not 1 <= window < len(prices):
        raise BadRequest(f"config.window must be a whole number from 1 to {len(prices) - 1}, one less than there are prices")
    closes = [float(price["close"]) for price in prices]
    return {
        "window": window,
        "last": closes[-1],
        "lastDate": prices[-1].get("date"),
        "average": round(fmean(closes[-window:]), 2),
        "previousAverage": round(fmean(closes[-window - 1 : -1]), 2),
    }


def _day(name: str, default: date) -> date:
    text = request.args.get(name)
    try:
        return date.fromisoformat(text) if text else default
    except ValueError as error:
        raise BadRequest(f"{name} must be a day such as 2008-01-31") from error
