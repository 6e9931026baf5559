"""The ServiceGraph role: who depends on whom, and what breaks when something breaks."""
