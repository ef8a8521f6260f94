//! Durations, sizes and addresses, as the config file writes them.
//!
//! Each function gives what the text means, or what would be right.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::PathBuf;

use super::{Secret, Upstream};

/// `"500ms"`, `"30s"`, `"5m"`, `"1h"`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected a duration such as \"500ms\", \"30s\", \"5m\" or \"1h\"".into()),
    };
    let whole = number.parse::<u64>().ok().and_then(|count| count.checked_mul(unit_ms));
    whole.map(Duration::from_millis).ok_or_else(|| "expected a whole number before the unit".into())
}

/// `"64 KiB"`, `"128 MiB"`, `"1 GiB"`, `"4096"`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let unit_bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("expected a size such as 4096, \"64 KiB\", \"128 MiB\" or \"1 GiB\"".into()),
    };
    let whole = number.parse::<u64>().ok().and_then(|count| count.checked_mul(unit_bytes));
    whole.ok_or_else(|| "expected a whole number before the unit".into())
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let at = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    (number, unit.trim_start())
}

/// `"127.0.0.1:6432"`, `"[::1]:6432"`.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "expected an IP address and a port, such as \"127.0.0.1:6432\" or \"[::]:6432\"".to_owned())?;
    if address.port() == 0 { Err("the port must not be 0".into()) } else { Ok(address) }
}

/// `"host:port"` or `"unix:/path"`.
pub(super) fn upstream(text: &str) -> Result<Upstream, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        // sockaddr_un holds 107 bytes and a NUL.
        return match path.len() {
            1..=107 if path.starts_with('/') => Ok(Upstream::Unix(PathBuf::from(path))),
            _ => Err("expected an absolute path of at most 107 bytes after \"unix:\"".into()),
        };
    }
    let wrong = || "expected \"host:port\" or \"unix:/path\"".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').map(|inside| inside.strip_suffix(']')) {
        Some(Some(inside)) => inside,
        Some(None) => return Err(wrong()),
        None if host.contains(':') => return Err("an IPv6 address stands in brackets: \"[::1]:5432\"".into()),
        None => host,
    };
    let port = port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(wrong());
    }
    Ok(Upstream::Tcp { host: host.into(), port })
}

/// The name of an environment variable.
pub(super) fn environment(text: &str) -> Result<Secret, String> {
    if text.is_empty() || text.contains(['=', '\0']) {
        return Err("expected the name of an environment variable".into());
    }
    Ok(Secret::Env(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_read_as_written() {
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(bytes("64 KiB"), Ok(65_536));
        assert_eq!(bytes("64KiB"), Ok(65_536));
        for bad in ["", "s", "-1s", "1d", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(bytes("1 KB").is_err() && bytes("MiB").is_err());
    }

    #[test]
    fn servers_are_hosts_or_sockets() {
        assert_eq!(upstream("db:5432"), Ok(Upstream::Tcp { host: "db".into(), port: 5432 }));
        assert_eq!(upstream("[::1]:5432"), Ok(Upstream::Tcp { host: "::1".into(), port: 5432 }));
        assert_eq!(upstream("unix:/run/pg"), Ok(Upstream::Unix("/run/pg".into())));
        for bad in ["db", "db:0", "::1:5432", "unix:pg", ":5432", "[::1:5432"] {
            assert!(upstream(bad).is_err(), "{bad}");
        }
    }
}
