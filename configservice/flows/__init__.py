"""The Flow Registry: definitions, who depends on whom, and the history of executions."""
