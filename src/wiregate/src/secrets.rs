//! Looking up the secrets that a config names: environment variables, files, verifiers.
//!
//! No message from here holds any part of a secret; it says where the secret was looked for.

use std::io::Read;
use std::path::Path;

use gateway::Secrets;
use policy::config::{Auth, Config, Listener, Password, Protocol, Secret, User};
use policy::mask::HashKey;
use postgres::scram::verifier::{DEFAULT_ITERATIONS, SALT_BYTES, Verifier};
use zeroize::Zeroize;

/// Largest secret: PostgreSQL takes no longer password message than this.
const SECRET_BYTES: usize = wire::limits::AUTH_BYTES;

/// Every secret of a config.
///
/// # Errors
///
/// Each that is missing or cannot be used, one sentence each.
pub(crate) fn resolve(config: &Config) -> Result<Secrets, Vec<String>> {
    let mut secrets = Secrets::default();
    let mut problems = Vec::new();
    for listener in &config.listeners {
        let Auth::Gateway { upstream_password: Some(secret), .. } = &listener.auth else { continue };
        match look_up(secret) {
            Ok(password) => {
                secrets.upstream.insert(listener.name.to_string(), password);
            }
            Err(problem) => problems.push(format!("[[listen]] \"{}\": upstream_password: {problem}", listener.name)),
        }
    }
    // The hashes of MySQL's clients can be checked only with the password; nobody else needs it kept.
    let keep =
        |listener: &Listener| listener.protocol == Protocol::MySql && matches!(listener.auth, Auth::Gateway { .. });
    let keep_passwords = config.listeners.iter().any(keep);
    for user in &config.users {
        if let (true, Some(Password::Secret(secret))) = (keep_passwords, &user.password)
            && let Ok(password) = look_up(secret)
        {
            secrets.passwords.insert(user.name.to_string(), wire::secret::Secret::new(password.into_bytes()));
        }
        match verifier(user) {
            Ok(Some(verifier)) => {
                secrets.users.insert(user.name.to_string(), verifier);
            }
            Ok(None) => {}
            Err(problem) => problems.push(format!("[[user]] \"{}\": password: {problem}", user.name)),
        }
    }
    if problems.is_empty() { Ok(secrets) } else { Err(problems) }
}

/// The key of the mask method `hash`; unknown where the config has none.
///
/// # Errors
///
/// It is missing or too short.
pub(crate) fn hash_key(config: &Config) -> Result<HashKey, String> {
    let Some(secret) = &config.policy.hash_key else { return Ok(HashKey::UNKNOWN) };
    let problem = |problem: String| format!("[policy] hash_key: {problem}");
    let mut text = look_up(secret).map_err(problem)?;
    let key = HashKey::new(text.as_bytes());
    text.zeroize();
    key.ok_or_else(|| problem(format!("shorter than {} bytes; `openssl rand -hex 32` makes one", HashKey::BYTES_MIN)))
}

/// What a user's password is checked against, if the user has one.
fn verifier(user: &User) -> Result<Option<Verifier>, String> {
    match &user.password {
        None => Ok(None),
        Some(Password::Scram(text)) => Verifier::parse(text).map(Some).map_err(|error| error.to_string()),
        Some(Password::Secret(secret)) => {
            let mut password = look_up(secret)?;
            let verifier = make(password.as_bytes(), DEFAULT_ITERATIONS);
            password.zeroize();
            verifier.map(Some)
        }
    }
}

/// The verifier of a password under a new salt.
///
/// # Errors
///
/// The system has no randomness.
pub(crate) fn make(password: &[u8], iterations: u32) -> Result<Verifier, String> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| format!("no randomness for a salt: {error}"))?;
    Ok(Verifier::from_password(password, &salt, iterations))
}

fn look_up(secret: &Secret) -> Result<String, String> {
    let found = match secret {
        Secret::Env(name) => std::env::var(&**name).map_err(|error| match error {
            std::env::VarError::NotPresent => format!("the environment variable {name} is not set"),
            std::env::VarError::NotUnicode(_) => format!("the environment variable {name} is not UTF-8"),
        })?,
        Secret::File(path) => from_file(path).map_err(|error| format!("{}: {error}", path.display()))?,
    };
    if found.is_empty() {
        return Err(match secret {
            Secret::Env(name) => format!("the environment variable {name} is empty"),
            Secret::File(path) => format!("{}: the file is empty", path.display()),
        });
    }
    Ok(found)
}

fn from_file(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    first_line(file)
}

/// The only line of a reader, without its line break.
///
/// # Errors
///
/// It cannot be read, is too long, is not UTF-8, or another line follows.
pub(crate) fn first_line(reader: impl Read) -> Result<String, String> {
    let limit = u64::try_from(SECRET_BYTES).unwrap_or(u64::MAX).saturating_add(3);
    let mut bytes = Vec::new();
    reader.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let mut text = String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.len() > SECRET_BYTES {
        return Err(format!("longer than {SECRET_BYTES} bytes"));
    }
    if text.contains(['\n', '\0']) {
        return Err("a secret is one line without NUL".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_without_its_end() {
        assert_eq!(first_line(&b"s3cret\n"[..]).unwrap(), "s3cret");
        assert_eq!(first_line(&b"s3cret\r\n"[..]).unwrap(), "s3cret");
        assert_eq!(first_line(&b" s3 cret "[..]).unwrap(), " s3 cret ");
        assert_eq!(first_line(&b""[..]).unwrap(), "");
        assert_eq!(first_line(vec![b'x'; SECRET_BYTES].as_slice()).unwrap().len(), SECRET_BYTES);
        for bad in [b"a\nb\n".to_vec(), b"a\0".to_vec(), b"\xff".to_vec(), vec![b'x'; SECRET_BYTES + 1]] {
            assert!(first_line(bad.as_slice()).is_err());
        }
    }

    #[test]
    fn a_made_verifier_fits_its_password_and_no_other() {
        let verifier = make(b"s3cret", 4096).unwrap();
        let again = Verifier::parse(&verifier.format()).unwrap();
        assert!(again.matches(b"s3cret") && !again.matches(b"s3cre"));
        assert_ne!(make(b"s3cret", 4096).unwrap().format(), verifier.format(), "each has its own salt");
    }
}
