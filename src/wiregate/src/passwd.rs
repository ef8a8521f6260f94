//! `wiregate passwd`: the verifier of a password.

use std::io::{IsTerminal, stdin};

use zeroize::Zeroize;

use crate::{Failure, output, secrets};

/// Reads a password and prints its verifier.
pub(crate) fn passwd(iterations: u32) -> Result<(), Failure> {
    let mut password = if stdin().is_terminal() { ask()? } else { from_input()? };
    if password.is_empty() {
        return Err(Failure::new("the password is empty"));
    }
    let verifier = secrets::make(password.as_bytes(), iterations);
    password.zeroize();
    output::answer(&format!("{}\n", verifier.map_err(Failure::new)?.format()));
    Ok(())
}

/// Asks twice, without an echo.
fn ask() -> Result<String, Failure> {
    let prompt =
        |text| rpassword::prompt_password(text).map_err(|error| Failure::new(format!("the terminal: {error}")));
    let password = prompt("Password: ")?;
    let mut again = prompt("Again: ")?;
    let same = password == again;
    again.zeroize();
    if same { Ok(password) } else { Err(Failure::new("the two passwords differ")) }
}

fn from_input() -> Result<String, Failure> {
    secrets::first_line(stdin().lock())
        .map_err(|error| Failure::new(format!("the password on standard input: {error}")))
}
