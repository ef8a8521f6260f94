//! Hash tables that are asked for every name of a statement.
//!
//! Each lookup of the standard library's hash costs more than the rest of it, and one statement makes a hundred. This
//! one is keyed as well, by a random key of the process, so that names of relations cannot be chosen to meet in one
//! slot by anybody who does not see the key; what a client sends is looked up and never put in.

/// A map under the fast keyed hash.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, ahash::RandomState>;

/// A set under the fast keyed hash.
pub(crate) type HashSet<K> = std::collections::HashSet<K, ahash::RandomState>;
