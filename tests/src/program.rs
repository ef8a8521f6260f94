//! Running other programs, each under a time limit, with their output kept.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a program did.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    /// Exit status; `None` when it was killed, by the time limit or otherwise.
    pub status: Option<i32>,
    /// Whether the time limit ended it.
    pub timed_out: bool,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Finished {
    /// The same, if it succeeded.
    ///
    /// # Panics
    /// With everything it said, if not.
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(
            self.status == Some(0),
            "{} ended with {:?}{}\n--- standard output\n{}\n--- standard error\n{}",
            self.command,
            self.status,
            if self.timed_out { " (time limit)" } else { "" },
            tail(&self.stdout),
            tail(&self.stderr)
        );
        self
    }

    /// Standard output and standard error together: what a sentinel must not be in.
    #[must_use]
    pub fn everything(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(4000);
    (start..text.len()).find_map(|at| text.get(at..)).unwrap_or(text)
}

/// Runs a program to its end, or kills it at the limit.
///
/// # Panics
/// When it cannot be started.
#[track_caller]
pub fn run(command: &mut Command, limit: Duration) -> Finished {
    run_between(command, Stdio::null(), Stdio::piped(), limit)
}

/// The same with this text on its standard input.
///
/// # Panics
/// When it cannot be started, or the text cannot be stored.
#[track_caller]
pub fn run_with_input(command: &mut Command, input: &str, limit: Duration) -> Finished {
    let dir = crate::gateway::private_dir();
    let path = dir.join("input");
    std::fs::write(&path, input).expect("store the input");
    let file = std::fs::File::open(&path).expect("open the input");
    let finished = run_between(command, file.into(), Stdio::piped(), limit);
    let _ = std::fs::remove_dir_all(dir);
    finished
}

/// The same with any standard input and output; files keep bytes that are no text as they are.
///
/// # Panics
/// When it cannot be started.
#[track_caller]
pub fn run_between(command: &mut Command, input: Stdio, output: Stdio, limit: Duration) -> Finished {
    let line = format!("{command:?}");
    let mut child = command
        .stdin(input)
        .stdout(output)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
    let stdout = read_aside(child.stdout.take());
    let stderr = read_aside(child.stderr.take());
    let (status, timed_out) = wait(&mut child, limit);
    Finished {
        command: line,
        status,
        timed_out,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    }
}

/// Waits for a process up to a limit, then kills it. The second value says whether it was killed.
pub fn wait(child: &mut Child, limit: Duration) -> (Option<i32>, bool) {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return (status.code(), false),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return (None, true);
            }
        }
    }
}

/// Sends a signal by name to a process.
pub fn signal(name: &str, pid: u32) {
    let _ = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
}

fn read_aside(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Asks again and again until `check` gives a value.
///
/// # Panics
/// When it gives none within the limit.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
