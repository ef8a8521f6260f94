//! A thousand clients that stop reading, beside a running load: memory stays bounded, the load its throughput.

use integration::gateway::{Gateway, Setup};
use integration::or_skip;
use integration::program;
use integration::raw::Client;
use integration::raw::message::query;
use integration::servers::Server;
use std::thread;
use std::time::{Duration, Instant};

const SLOW: usize = 1000;

/// Of them, those that read on in the end.
const WAKING: usize = 20;

/// What the gateway may hold for one client that does not read, over all of them: the limit of its backlog
/// (256 KiB), one burst of a receive on its way there (as much again), and the session. Socket buffers are the
/// kernel's and do not count.
const KIB_FOR_EACH: u64 = 600;

fn transactions_per_second(server: &Server, gateway: &Gateway, seconds: u32) -> f64 {
    let mut command = server.program("pgbench");
    command.args(["-n", "-S", "-M", "prepared", "-c", "8", "-T", &seconds.to_string()]);
    command.arg(server.dsn(&gateway.endpoint("trust_user", false).in_database("bench")));
    let said = program::run(&mut command, Duration::from_secs(120)).expect_success().stdout;
    let line = said.lines().find(|line| line.starts_with("tps = ")).unwrap_or_else(|| panic!("{said}"));
    line.split(' ').nth(2).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

fn make_bench_database(server: &Server) {
    if server.admin("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'bench'") == "0" {
        let _ = server.admin("postgres", "CREATE DATABASE bench OWNER app");
    }
    let mut command = server.program("pgbench");
    let app = server.endpoint("app", false).in_database("bench");
    command.args(["-i", "-q", "-s", "1"]).arg(server.dsn(&app));
    program::run(&mut command, Duration::from_secs(60)).expect_success();
}

#[test]
fn a_thousand_clients_that_stop_reading_harm_nobody() {
    let server = or_skip!(Server::find("pg15-plain-many"));
    make_bench_database(&server);
    let gateway = Setup::before(&server).start();
    let seconds = if std::env::var_os("WIREGATE_SOAK").is_some() { 60 } else { 5 };
    let alone = transactions_per_second(&server, &gateway, seconds);
    let before = gateway.resident_kib();

    // Each asks for 20 MB and reads nothing of it.
    let slow: Vec<Client> = (0..SLOW)
        .map(|_| {
            let mut client = Client::login(&gateway.endpoint("trust_user", false));
            client.send(&query("SELECT repeat('x', 1000) FROM generate_series(1, 20000)")).expect("send");
            client
        })
        .collect();
    settle(&gateway);
    let beside = transactions_per_second(&server, &gateway, seconds);
    let held = gateway.resident_kib().saturating_sub(before);
    println!("{held} KiB held; {beside:.0} transactions a second beside them, {alone:.0} alone");
    // The server's own thousand processes and the kernel's full buffers take their share of two cores, and not the
    // same one each time (0.58 to 1.1 were seen); where the slow ones stop the others, next to nothing is left.
    assert!(beside > alone * 0.4, "{beside:.0} transactions a second beside them, {alone:.0} alone");
    assert!(held < KIB_FOR_EACH * SLOW as u64, "{held} KiB for {SLOW} clients");

    // A reader that wakes gets all of it. The others leave first: with a thousand full send buffers of the server
    // the kernel's memory for TCP (`tcp_mem`) is used up, and nobody on this machine reads at speed, with a
    // gateway or without.
    let mut slow = slow;
    drop(slow.split_off(WAKING));
    sessions_become(&server, WAKING);
    for mut client in slow {
        let frames = client.until(b'Z', 1);
        assert_eq!(frames.iter().filter(|frame| frame.tag == b'D').count(), 20_000);
    }
    sessions_become(&server, 0);
}

fn sessions_become(server: &Server, count: usize) {
    program::eventually(&format!("{count} server sessions remain"), Duration::from_secs(60), || {
        let sessions = server.admin("postgres", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'trust_user'");
        (sessions == count.to_string()).then_some(())
    });
}

/// Waits until the gateway's memory no longer grows.
fn settle(gateway: &Gateway) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut last = gateway.resident_kib();
    while Instant::now() < deadline {
        thread::sleep(Duration::from_secs(1));
        let now = gateway.resident_kib();
        if now < last + 512 {
            return;
        }
        last = now;
    }
}
