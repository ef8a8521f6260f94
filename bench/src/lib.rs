//! Micro benchmarks and load generators.
