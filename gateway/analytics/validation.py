"""What may be asked: a bounded span of time, in a bounded number of buckets."""

from collections.abc import Iterator

from gateway.analytics.model import AnalyticsQuery, Dimension
from gateway.errors import FieldError, InvalidInput

MAX_BUCKETS = 2000
MAX_DAYS = 400
MAX_TEXT = 300


def check_query(query: AnalyticsQuery, *, failed_only: bool) -> None:
    """Refuse what makes no sense or costs without bound.

    Raises:
        InvalidInput: names each query parameter that is wrong.
    """
    errors = [*_time(query), *_groups(query, failed_only=failed_only), *_filters(query)]
    if errors:
        raise InvalidInput("The query cannot be answered", errors)


def _time(query: AnalyticsQuery) -> Iterator[FieldError]:
    if query.since.tzinfo is None or query.until.tzinfo is None:
        yield FieldError("?since", "needs a time zone, as in 2026-01-02T03:04:05Z")
        return
    seconds = (query.until - query.since).total_seconds()
    if seconds <= 0:
        yield FieldError("?until", "must be later than since")
    elif seconds > MAX_DAYS * 86_400:
        yield FieldError("?since", f"at most {MAX_DAYS} days before until")
    if query.bucket_seconds is not None and query.bucket_seconds < 1:
        yield FieldError("?bucket", "at least one second")
    elif query.bucket_seconds is not None and seconds / query.bucket_seconds > MAX_BUCKETS:
        yield FieldError("?bucket", f"makes more than {MAX_BUCKETS} buckets; ask for longer ones")


def _groups(query: AnalyticsQuery, *, failed_only: bool) -> Iterator[FieldError]:
    if len(set(query.group_by)) != len(query.group_by):
        yield FieldError("?groupBy", "names a dimension twice")
    if Dimension.FAULT_TYPE in query.group_by and not failed_only:
        yield FieldError("?groupBy", "faultType groups errors only")


def _filters(query: AnalyticsQuery) -> Iterator[FieldError]:
    if query.status is not None and not 100 <= query.status <= 599:
        yield FieldError("?status", "is no HTTP status")
    for name, value in (("route", query.route), ("tenant", query.tenant)):
        if value is not None and (len(value) > MAX_TEXT or "\x00" in value):
            yield FieldError(f"?{name}", f"at most {MAX_TEXT} characters, and no NUL")
