//! What real servers said, byte for byte: MariaDB 10.11 and MySQL 9.7, each in the dialect of today's clients
//! (no EOF, query attributes, extended metadata) and in that of old ones.
//!
//! A capture is a text: the capabilities of both legs, then commands (`C`) and what answered each (`S`) in
//! hexadecimal. The statements cover every type of column in both row formats, several results, errors, a
//! cursor, a procedure's out parameter, and the commands without SQL.

use mysql::capability::Capabilities;

use crate::simulation::{Cut, Random, Simulation, Step, contains};

const CAPTURES: [(&str, &str); 4] = [
    ("mariadb-classic", include_str!("captures/mariadb-classic.txt")),
    ("mariadb-modern", include_str!("captures/mariadb-modern.txt")),
    ("mysql-classic", include_str!("captures/mysql-classic.txt")),
    ("mysql-modern", include_str!("captures/mysql-modern.txt")),
];

/// What the masked columns hold.
const SENTINEL: &[u8] = b"S3NTINEL";

fn bytes(hex: &str) -> Vec<u8> {
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
    for (name, capture) in CAPTURES {
        let (mut sim, steps) = read(capture, Cut::Whole);
        for step in &steps {
            sim.step(step).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            match step {
                Step::C(sent) => assert_eq!(&std::mem::take(&mut sim.to_server), sent, "{name}"),
                Step::S(sent) => {
                    assert_eq!(&std::mem::take(&mut sim.to_client), sent, "{name}");
                    assert!(sim.session.is_idle(), "{name}");
                }
                Step::Decide(_) => {}
            }
        }
    }
}

#[test]
fn what_a_mask_covers_is_seen_in_no_capture_however_it_is_cut() {
    for (name, capture) in CAPTURES {
        let run = |cut| {
            let (mut sim, steps) = read(capture, cut);
            sim.guard.wants_all = true;
            for step in &steps {
                sim.step(step).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            }
            assert!(sim.session.is_idle(), "{name}");
            sim
        };
        let whole = run(Cut::Whole);
        assert!(!contains(&whole.to_client, SENTINEL), "{name}");
        assert!(contains(&whole.to_client, b"********"), "{name}");
        let origin = "t_golden.k.secret";
        assert!(whole.guard.log.iter().any(|line| line.contains(origin)), "{name}");
        for seed in 0..20 {
            let cut = run(Cut::Random(Random::new(seed)));
            assert!(cut.to_client == whole.to_client && cut.guard.log == whole.guard.log, "{name}, seed {seed}");
        }
    }
}

#[test]
fn settings_and_errors_of_real_servers_are_read() {
    for (name, capture) in CAPTURES {
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
