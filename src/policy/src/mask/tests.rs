//! The table of the module, cell by cell.
