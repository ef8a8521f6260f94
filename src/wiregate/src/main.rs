//! The `wiregate` command.
fn main() {}
