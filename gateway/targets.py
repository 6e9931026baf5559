"""What can be broken, as errors, breakers, recoveries and the tags of recovery flows name it: a kind, a colon and a name.

`database:<name>`, `service:<name>`, and `capability:<word>`: somebody who serves it, which has no breaker. Pure.
"""

DATABASE = "database"
SERVICE = "service"
CAPABILITY = "capability"


def database_target(name: str) -> str:
    """`database:postgres`."""
    return f"{DATABASE}:{name}"


def service_target(name: str) -> str:
    """`service:prices`."""
    return f"{SERVICE}:{name}"


def capability_target(word: str) -> str:
    """`capability:moving_average`."""
    return f"{CAPABILITY}:{word}"


def kind_of(target: str) -> str:
    """`database` of `database:postgres`; empty when a text without a colon names no target."""
    kind, colon, _ = target.partition(":")
    return kind if colon else ""


def name_of(target: str) -> str:
    """`postgres` of `database:postgres`."""
    return target.partition(":")[2]


CONFIGURATION_SERVICE = service_target("configuration-service")
