"""One operator for each step of the pipeline, one module each."""
