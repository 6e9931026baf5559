"""The reference Configuration Service and Flow Registry: a small Flask app of its own, its rows in PostgreSQL's schema `configservice`.

It keeps contracts/configuration-service.md. Of the gateway it knows only the flow definition language and the error tree.
"""

NAME = "configuration-service"
VERSION = "0.1.0"
