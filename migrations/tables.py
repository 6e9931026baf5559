"""Every table of the product, gathered from its rooms, for Alembic and for the test that compares it with the migrations."""

import gateway.analytics.tables
import gateway.configuration.tables
import gateway.executions.tables
import gateway.outbox.tables
import gateway.recovery.ledger.tables
import gateway.recovery.patterns.tables
import gateway.topology.tables  # noqa: F401 - importing a room's tables adds them to the metadata
from configservice.tables import metadata as configservice_metadata
from gateway.databases.metadata import metadata as gateway_metadata

METADATA = [gateway_metadata, configservice_metadata]
