//! Detectors from the batch to the cell.
