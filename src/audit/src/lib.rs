//! The record of what happened: types, encoding, files and reading back.
