"""The prediction API: it follows MLflow's alias without a restart and keeps every inference in RAW."""
