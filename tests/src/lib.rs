//! Real servers, real drivers, golden files and seeded simulation.
