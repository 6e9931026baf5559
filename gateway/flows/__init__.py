"""The flow definition language: model, parsing, validation, expressions. Pure: no I/O."""
