//! `report`: reads the samples of `scripts/bench` and writes Markdown to standard output.
//!
//! With `--about` it is the whole report, for `bench/report/README.md`; without, the tables only.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use bench::{report, sample};
use clap::Parser;

/// The tables of a benchmark run.
#[derive(Debug, Parser)]
#[command(after_help = "Example: report bench/report/results.csv")]
struct Options {
    /// The samples, as scripts/bench writes them.
    samples: PathBuf,
    /// Lines about the machine, versions and method, Markdown: makes the output a whole page.
    #[arg(long)]
    about: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error("cannot write: {0}")]
    Format(#[from] std::fmt::Error),
    #[error("{}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Sample(#[from] sample::SampleError),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do where even standard error is closed.
            let _ = writeln!(io::stderr(), "report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), ReportError> {
    let samples = sample::parse(&read(&options.samples)?)?;
    let mut out = String::new();
    if let Some(about) = &options.about {
        let about = read(about)?;
        writeln!(
            out,
            "# Wiregate beside its peers\n\nWritten by `scripts/bench`; every run is in [results.csv](results.csv).\n"
        )?;
        report::tables(&mut out, &samples)?;
        writeln!(out, "\n{}", about.trim_end())?;
    } else {
        report::tables(&mut out, &samples)?;
    }
    io::stdout().write_all(out.as_bytes())?;
    Ok(())
}

fn read(path: &PathBuf) -> Result<String, ReportError> {
    std::fs::read_to_string(path).map_err(|error| ReportError::Read { path: path.clone(), error })
}
