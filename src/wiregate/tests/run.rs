//! `wiregate run` from start to stop: health, metrics, reload by signal and by file, exit status.
//!
//! Needs io_uring; without a database, since no client comes.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running gateway in a folder of its own; killed when dropped.
struct Gateway {
    child: Child,
    folder: PathBuf,
    admin: u16,
    port: u16,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn config(admin: u16, port: u16, kind: &str) -> String {
    format!(
        "[gateway]\nmax_clients = 50\n[admin]\naddress = \"127.0.0.1:{admin}\"\n[[listen]]\nname = \"orders\"\n\
         protocol = \"postgres\"\naddress = \"127.0.0.1:{port}\"\nupstream = \"127.0.0.1:1\"\n\
         [[deny]]\nname = \"rule\"\nstatements = [\"{kind}\"]\n"
    )
}

impl Gateway {
    fn start(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wiregate-run-{}-{test}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let (admin, port) = (free_port(), free_port());
        fs::write(folder.join("wiregate.toml"), config(admin, port, "drop")).unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_wiregate"))
            .arg("run")
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let gateway = Self { child, folder, admin, port };
        gateway.eventually("ready", || gateway.get("/readyz").contains(" 200 "));
        gateway
    }

    fn get(&self, path: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.admin)) else { return String::new() };
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let sent = write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        drop(sent.and_then(|()| stream.read_to_string(&mut answer)));
        answer
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    fn write_config(&self, text: &str) {
        fs::write(self.folder.join("wiregate.toml"), text).unwrap();
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(20), "not {what} in time:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn ended(&mut self) -> i32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(start.elapsed() < Duration::from_secs(20), "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn audit(&self) -> String {
        let files = fs::read_dir(self.folder.join("audit")).unwrap();
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

#[test]
fn it_reports_health_reloads_and_stops_with_success() {
    let mut gateway = Gateway::start("life");
    assert!(gateway.get("/healthz").contains(" 200 "));
    let metrics = gateway.get("/metrics");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4"), "{metrics}");
    assert!(metrics.contains("wiregate_sessions_open{listener=\"orders\"} 0"), "{metrics}");
    assert!(metrics.contains("wiregate_policy_generation 1\n"), "{metrics}");

    gateway.write_config(&config(gateway.admin, gateway.port, "truncate"));
    gateway.signal("HUP");
    gateway.eventually("loaded", || gateway.get("/metrics").contains("wiregate_policy_generation 2\n"));

    gateway.write_config(&config(gateway.admin, gateway.port, "alter table"));
    gateway.eventually("loaded by file", || gateway.get("/metrics").contains("wiregate_policy_generation 3\n"));

    gateway.write_config(&config(gateway.admin, gateway.port, "alter teapot"));
    let refused = |count: u32| format!("wiregate_config_reloads_total{{result=\"refused\"}} {count}\n");
    gateway.eventually("refused", || gateway.get("/metrics").contains(&refused(1)));
    gateway.write_config(&config(gateway.admin, free_port(), "drop"));
    gateway.eventually("refused for its address", || gateway.get("/metrics").contains(&refused(2)));
    assert!(gateway.get("/metrics").contains("wiregate_policy_generation 3\n"));
    assert!(gateway.log().contains("[[listen]] \"orders\" has changed and needs a restart"), "{}", gateway.log());
    assert!(gateway.get("/readyz").contains(" 200 "), "a refused config changes nothing");

    gateway.signal("TERM");
    assert_eq!(gateway.ended(), 0, "{}", gateway.log());
    let audit = gateway.audit();
    assert_eq!(audit.matches("\"event\":\"reload\"").count(), 4, "{audit}");
    assert_eq!(audit.matches("\"loaded\":true").count(), 2, "{audit}");
}

#[test]
fn a_port_in_use_is_said_in_one_sentence() {
    let gateway = Gateway::start("port");
    let second = gateway.folder.join("second.toml");
    fs::write(&second, config(free_port(), gateway.port, "drop")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wiregate")).args(["run", "--config"]).arg(second).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let sentence = format!("wiregate: listener \"orders\" cannot listen on 127.0.0.1:{}", gateway.port);
    assert!(said.lines().any(|line| line.starts_with(&sentence)), "{said}");
    assert!(gateway.get("/readyz").contains(" 200 "));
}
