"""fqbench's INT8 beside what others make of the same model: time, accuracy, size, effort."""
