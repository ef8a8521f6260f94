//! Writing to the terminal. A reader that went away (`wiregate explain … | head`) is not an error.

use std::io::Write;

/// One sentence to standard error.
pub(crate) fn error(sentence: &str) {
    drop(writeln!(std::io::stderr(), "wiregate: {sentence}"));
}

/// What was asked for, to standard output.
pub(crate) fn answer(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
