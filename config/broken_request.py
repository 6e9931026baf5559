"""What a server tells its application of a request that broke before, or while, the application read it."""

ENVIRON_KEY = "gateway.server_error"  # in a WSGI environ: the exception that the application answers instead of a request


class BrokenRequest(Exception):
    """The request breaks HTTP, goes over a limit of the server, or did not arrive in time.

    `detail` is one sentence for the client, in our own words; `status` is the HTTP status that says the same.
    """

    def __init__(self, detail: str, *, status: int = 400) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
