//! The driver programs of `tests/drivers`, ready for arguments: each function gives the command that runs one, or
//! why it cannot run here. What has to be compiled is compiled once for all tests.

use crate::{program, root};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const COMPILER_LIMIT: Duration = Duration::from_secs(300);

/// A program of `tests/drivers/python`, where this module can be imported.
///
/// # Errors
/// Why it cannot run here.
pub fn python(program: &str, module: &str) -> Result<Command, String> {
    let interpreter = root().join(".venv/bin/python");
    let found = Command::new(&interpreter).args(["-c", &format!("import {module}")]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return Err(format!("{module} is not in .venv: scripts/test installs it"));
    }
    let mut command = Command::new(interpreter);
    command.arg("-B").arg(root().join("tests/drivers/python").join(program));
    Ok(command)
}

/// `driver.js` of a folder of `tests/drivers`, where this package is installed.
///
/// # Errors
/// Why it cannot run here.
pub fn node(folder: &str, package: &str) -> Result<Command, String> {
    let folder = root().join("tests/drivers").join(folder);
    if !folder.join("node_modules").join(package).exists() {
        return Err(format!("node's {package} is not installed: scripts/test does it"));
    }
    let mut command = Command::new("node");
    command.arg(folder.join("driver.js"));
    Ok(command)
}

/// The class of a Java source in `tests/drivers`, such as `java/Driver.java`, with a jar of Debian's beside it.
///
/// # Errors
/// Why it cannot run here.
pub fn java(source: &str, jar: &str) -> Result<Command, String> {
    if !Path::new(jar).exists() || Command::new("javac").arg("-version").output().is_err() {
        return Err(format!("{jar} or a Java compiler is not installed: scripts/test does it"));
    }
    let source = root().join("tests/drivers").join(source);
    let shared = root().join("tests/drivers/java-shared/Output.java");
    let classes = compiled(&[&source, &shared], |folder| {
        let mut compiler = Command::new("javac");
        compiler.args(["-J-XX:TieredStopAtLevel=1", "-encoding", "UTF-8", "-cp", jar, "-d"]).arg(folder);
        compiler.args([&source, &shared]);
        compiler
    });
    let mut command = Command::new("java");
    // One core's worth of virtual machine: several of these run beside each other.
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    command.arg(format!("{jar}:{}", classes.display())).arg(source.file_stem().unwrap_or_default());
    Ok(command)
}

/// A Go source in `tests/drivers`, such as `go/driver.go`, built with the packages that Debian installs.
///
/// # Errors
/// Why it cannot run here.
pub fn go(source: &str, package: &str) -> Result<Command, String> {
    const PACKAGES: &str = "/usr/share/gocode";
    if !Path::new(PACKAGES).join("src").join(package).exists() || Command::new("go").arg("version").output().is_err() {
        return Err(format!("Go or its package {package} is not installed: scripts/test does it"));
    }
    let source = root().join("tests/drivers").join(source);
    let folder = compiled(&[&source], |folder| {
        let mut compiler = Command::new("go");
        compiler.args(["build", "-o"]).arg(folder.join("driver")).arg(&source);
        // Without modules nothing is fetched; without C nothing else is needed.
        compiler.env("GOPATH", PACKAGES).env("GO111MODULE", "off").env("CGO_ENABLED", "0").env("GOFLAGS", "");
        compiler.env("GOCACHE", folders().join("go-cache"));
        compiler
    });
    Ok(Command::new(folder.join("driver")))
}

/// The Rust program in a folder of `tests/drivers`, which is a workspace of its own.
///
/// # Errors
/// Why it cannot run here.
pub fn rust(folder: &str) -> Result<Command, String> {
    if !Path::new("/usr/include/openssl/ssl.h").exists() {
        return Err("OpenSSL's headers are not installed: scripts/test does it".into());
    }
    let manifest = root().join("tests/drivers").join(folder).join("Cargo.toml");
    let target = folders().join(folder);
    // Tests that ask at once wait for each other here.
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(manifest).arg("--target-dir").arg(&target);
    program::run(&mut cargo, COMPILER_LIMIT).expect_success();
    Ok(Command::new(target.join("debug").join(folder)))
}

/// Where what is compiled lies: beside the tests' own binaries.
fn folders() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    test.ancestors().nth(3).map(|target| target.join("tmp")).unwrap_or_default()
}

/// The folder of what sources compile to, by their texts and the first one's name: tests are processes of their own,
/// and may run at once, so a folder appears when it is whole.
fn compiled(sources: &[&PathBuf], compiler: impl FnOnce(&Path) -> Command) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    for source in sources {
        fs::read(source).expect("the driver's source").hash(&mut hasher);
    }
    let stem = sources.first().and_then(|source| source.file_name()).unwrap_or_default().to_string_lossy().into_owned();
    let done = folders().join(format!("{stem}-{:016x}", hasher.finish()));
    if !done.exists() {
        let partial = folders().join(format!("{stem}-partial-{}", std::process::id()));
        fs::create_dir_all(&partial).expect("a folder for what is compiled");
        program::run(&mut compiler(&partial), COMPILER_LIMIT).expect_success();
        if fs::rename(&partial, &done).is_err() {
            // Another test was faster.
            let _ = fs::remove_dir_all(&partial);
        }
    }
    assert!(done.exists(), "{} was not made", done.display());
    done
}
