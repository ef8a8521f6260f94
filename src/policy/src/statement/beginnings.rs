//! The first two letters of the names in a list: what tells most names from all of them at once.
//!
//! Lists of functions are asked about every call and every name behind a point. Nothing here says that a name is in
//! a list, only that it is not.

/// The letters with which the names of a list begin.
pub(super) struct Beginnings([u32; 26]);

impl Beginnings {
    /// Those of no names.
    pub(super) const fn new() -> Self {
        Self([0; 26])
    }

    /// With those of a name as well, which begins with two letters in lower case.
    pub(super) const fn with(mut self, name: &str) -> Self {
        let (first, second) = (name.as_bytes()[0] - b'a', name.as_bytes()[1] - b'a');
        assert!(second < 26, "a name begins with two letters in lower case");
        self.0[first as usize] |= 1 << second;
        self
    }

    /// Whether a name of the list may begin like this one.
    pub(super) fn fit(&self, name: &str) -> bool {
        let [first, second, ..] = name.as_bytes() else { return false };
        let seconds = self.0.get(usize::from(first.wrapping_sub(b'a'))).copied().unwrap_or(0);
        seconds.checked_shr(u32::from(second.wrapping_sub(b'a'))).unwrap_or(0) & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_other_letters_do_not_fit() {
        let beginnings = Beginnings::new().with("dblink").with("lo_").with("zz");
        for name in ["dblink", "db", "log", "lo", "zz"] {
            assert!(beginnings.fit(name), "{name}");
        }
        for name in ["", "d", "l", "da", "xb", "Db", "d_", "_b", "\u{e9}b", "d\u{e9}", "zy", "{b"] {
            assert!(!beginnings.fit(name), "{name}");
        }
    }
}
