//! What real servers said, byte for byte: MariaDB 10.11 and MySQL 9.7, each in the dialect of today's clients
//! (no EOF, query attributes, extended metadata) and in that of old ones.
//!
//! A capture is a text: the capabilities of both legs, then what the client (`C`) and the server (`S`) sent, in
//! hexadecimal. Those called `rare` hold what takes more than a command and its reply. Each passes byte for byte where
//! no rule concerns it, and gives the same bytes and calls under masks whichever message is cut at whichever byte.
//! Logins are in `handshakes` (`handshakes.rs`).
//!
//! | packets | captures |
//! |---|---|
//! | greeting, HandshakeResponse41, switch of plugins, more data (fast, full, key), OK, ERR of a login | `handshakes` |
//! | COM_QUERY, one result and several, OK, ERR, text rows of every type, COM_INIT_DB, session tracking | all |
//! | COM_STMT_PREPARE, EXECUTE, FETCH, RESET, binary rows of every type, out parameters | all but `rare` |
//! | COM_FIELD_LIST, STATISTICS, PING, SET_OPTION, PROCESS_INFO (MariaDB), RESET_CONNECTION | all but `rare` |
//! | query attributes (empty in `modern`, with values in `mysql-modern-rare`) | `modern` |
//! | LOCAL INFILE: the request, data, the empty packet | `rare` |
//! | COM_STMT_SEND_LONG_DATA, COM_STMT_CLOSE | `rare` |
//! | COM_STMT_BULK_EXECUTE with RETURNING, id −1 ahead of a reply, progress reports | `mariadb-…-rare` |
//! | COM_PROCESS_KILL, REFRESH (MariaDB), DEBUG, SET_OPTION off; commands that the server does not know | `rare` |
//! | COM_CHANGE_USER with a switch of plugins, MySQL's under the key of the server and the fast way | `rare` |
//! | COM_REGISTER_SLAVE, COM_BINLOG_DUMP with its events to the EOF | `rare` |
//! | messages of 16 MiB and more | none, for their size: `masks.rs`, and `packet`'s own tests |

use mysql::capability::Capabilities;

use crate::simulation::{Cut, Random, Simulation, Step, contains};

const USUAL: [(&str, &str); 4] = [
    ("mariadb-classic", include_str!("captures/mariadb-classic.txt")),
    ("mariadb-modern", include_str!("captures/mariadb-modern.txt")),
    ("mysql-classic", include_str!("captures/mysql-classic.txt")),
    ("mysql-modern", include_str!("captures/mysql-modern.txt")),
];
const RARE: [(&str, &str); 4] = [
    ("mariadb-classic-rare", include_str!("captures/mariadb-classic-rare.txt")),
    ("mariadb-modern-rare", include_str!("captures/mariadb-modern-rare.txt")),
    ("mysql-classic-rare", include_str!("captures/mysql-classic-rare.txt")),
    ("mysql-modern-rare", include_str!("captures/mysql-modern-rare.txt")),
];

/// What the masked columns hold.
const SENTINEL: &[u8] = b"S3NTINEL";

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|index| u8::from_str_radix(&hex[index * 2..index * 2 + 2], 16).unwrap()).collect()
}

fn read(capture: &str, cut: Cut) -> (Simulation, Vec<Step>) {
    let mut legs = None;
    let mut steps = Vec::new();
    for line in capture.lines() {
        match line.split_once(' ').unwrap() {
            ("capabilities", both) => {
                let (client, server) = both.split_once(' ').unwrap();
                let flags = |hex| Capabilities(u64::from_str_radix(hex, 16).unwrap());
                legs = Some((flags(client), flags(server)));
            }
            ("C", hex) => steps.push(Step::C(bytes(hex))),
            ("S", hex) => steps.push(Step::S(bytes(hex))),
            ("#", _) => {}
            other => panic!("{other:?}"),
        }
    }
    let (client, server) = legs.unwrap();
    assert!(steps.len() > 50);
    (Simulation::captured(client, server, cut), steps)
}

#[test]
fn what_no_rule_concerns_passes_byte_for_byte() {
    for (name, capture) in USUAL.into_iter().chain(RARE) {
        let (mut sim, steps) = read(capture, Cut::Whole);
        for (number, step) in steps.iter().enumerate() {
            sim.step(step).unwrap_or_else(|fault| panic!("{name}, step {number}: {fault}"));
            match step {
                Step::C(sent) => assert_eq!(&std::mem::take(&mut sim.to_server), sent, "{name}, step {number}"),
                Step::S(sent) => assert_eq!(&std::mem::take(&mut sim.to_client), sent, "{name}, step {number}"),
                Step::Decide(_) => {}
            }
        }
        assert!(sim.session.is_idle(), "{name}");
    }
}

/// Bytes between two cuts of a message.
const PERIOD: usize = 256;

/// Plays a capture with all results under masks; `cut_at`: every message is cut there and at each [`PERIOD`] behind.
fn masked(name: &str, capture: &str, cut: Cut, cut_at: Option<usize>) -> Simulation {
    let (mut sim, steps) = read(capture, cut);
    sim.guard.wants_all = true;
    for step in &steps {
        let (make, mut rest): (fn(Vec<u8>) -> Step, _) = match step {
            Step::C(bytes) => (Step::C, bytes.as_slice()),
            Step::S(bytes) => (Step::S, bytes.as_slice()),
            Step::Decide(_) => continue,
        };
        let mut length = cut_at.unwrap_or(rest.len());
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(length.min(rest.len()));
            sim.step(&make(piece.to_vec())).unwrap_or_else(|fault| panic!("{name}, cut at {cut_at:?}: {fault}"));
            (rest, length) = (tail, cut_at.map_or(tail.len(), |_| PERIOD));
        }
    }
    assert!(sim.session.is_idle(), "{name}");
    sim
}

/// Every message of some captures, cut at every byte.
fn assert_any_split(captures: [(&str, &str); 4]) {
    for (name, capture) in captures {
        let whole = masked(name, capture, Cut::Whole, None);
        // Events of the binary log come last; they are let through whole or not at all.
        let events = read(capture, Cut::Whole).1.pop();
        let shown = match events {
            Some(Step::S(events)) if name.ends_with("rare") => whole.to_client.strip_suffix(&*events).unwrap(),
            _ => &whole.to_client[..],
        };
        assert!(!contains(shown, SENTINEL), "{name}");
        assert!(contains(shown, b"********"), "{name}");
        let same = |cut: Simulation, how: &str| {
            let same = cut.to_client == whole.to_client && cut.to_server == whole.to_server;
            assert!(same && cut.guard.log == whole.guard.log, "{name}, {how}");
        };
        for bytes in [1, 2, 3, 5] {
            same(masked(name, capture, Cut::Every(bytes), None), "small pieces");
        }
        for seed in 0..10 {
            same(masked(name, capture, Cut::Random(Random::new(seed)), None), "random pieces");
        }
        for at in 1..=PERIOD {
            same(masked(name, capture, Cut::Whole, Some(at)), &format!("cut at {at}"));
        }
    }
}

#[test]
fn usual_packets_may_be_cut_at_any_byte() {
    for (name, capture) in USUAL {
        let whole = masked(name, capture, Cut::Whole, None);
        let origin = "t_golden.k.secret";
        assert!(whole.guard.log.iter().any(|line| line.contains(origin)), "{name}");
    }
    assert_any_split(USUAL);
}

#[test]
fn rare_packets_may_be_cut_at_any_byte() {
    assert_any_split(RARE);
}

#[test]
fn rare_packets_of_real_servers_are_read() {
    for (name, capture) in RARE {
        let (mut sim, steps) = read(capture, Cut::Whole);
        for step in &steps {
            sim.step(step).unwrap();
        }
        let (log, mariadb) = (&sim.guard.log, name.starts_with("mariadb"));
        let mut expected = vec![
            "sent load data local infile 'allowed.csv' into table k allowed.csv 26",
            "begin insert into k values (?, ?, ?) [\"3/1 int\", \"S3NTINEL/8 varchar\", \"7/1 int\"]",
            "changed allowed t_rare",
            "completed SHOW BINLOG EVENTS part 0",
            "setting schema=t_rare",
        ];
        if mariadb {
            expected.push("begin select secret from k where id = ? [\"1/1 int\"]");
            expected.push("judge KILL 999999");
        }
        if name == "mariadb-modern-rare" {
            expected.push(
                "returning id, secret [\"10/2 int\", \"S3NTINEL/8 varchar\", \"1/1 int\", \"11/2 int\", \"NULL\"",
            );
        }
        if name == "mysql-modern-rare" {
            expected.push("begin select secret from k where id = 1 [\"abc/3 varchar\", \"5/1 int\"]");
        }
        for expected in expected {
            assert!(log.iter().any(|line| line.contains(expected)), "{name}: {expected} in {log:#?}");
        }
        assert_eq!(contains(capture.as_bytes(), b"ffffff"), mariadb, "{name} has progress");
    }
}

#[test]
fn settings_and_errors_of_real_servers_are_read() {
    for (name, capture) in USUAL {
        let (mut sim, steps) = read(capture, Cut::Whole);
        for step in &steps {
            sim.step(step).unwrap();
        }
        let log = &sim.guard.log;
        for expected in ["setting schema=t_golden", "setting autocommit=OFF", "setting time_zone=+01:00", "reset"] {
            assert!(log.iter().any(|line| line == expected), "{name}: {expected}");
        }
        for code in ["error Some(1062)", "error Some(1064)"] {
            assert!(log.iter().any(|line| line.contains(code)), "{name}: {code}");
        }
        assert!(log.iter().any(|line| line.contains("suspended true")), "{name}");
    }
}
