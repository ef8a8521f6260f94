//! `report`: reads the samples of `scripts/bench` and writes Markdown to standard output.
//!
//! With `--about` it is the whole report, for `bench/report/README.md`; without, the tables only. With `--plots`
//! it writes the plots into a folder too.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bench::{plot, report, sample};
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
    /// A folder for the plots, SVG.
    #[arg(long)]
    plots: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error("cannot write: {0}")]
    Format(#[from] std::fmt::Error),
    #[error("{}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Sample(#[from] sample::SampleError),
    #[error("{}: {error}", path.display())]
    Plot { path: PathBuf, error: io::Error },
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
        if options.plots.is_some() {
            writeln!(out, "\n![CPU for each operation](cpu.svg)\n\n![Operations per second](rate.svg)")?;
            writeln!(out, "\n![Latency at a fixed rate](latency.svg)")?;
        }
        writeln!(out, "\n{}", about.trim_end())?;
    } else {
        report::tables(&mut out, &samples)?;
    }
    if let Some(folder) = &options.plots {
        plots(folder, &samples)?;
    }
    io::stdout().write_all(out.as_bytes())?;
    Ok(())
}

fn plots(folder: &Path, samples: &[sample::Sample]) -> Result<(), ReportError> {
    let save = |name: &str, svg: &str| {
        let path = folder.join(name);
        std::fs::write(&path, svg).map_err(|error| ReportError::Plot { path, error })
    };
    let cases: Vec<&str> = report::CASES.iter().map(|(case, _)| *case).collect();
    let mut svg = String::new();
    plot::bars(&mut svg, "CPU of the proxy for each operation", "µs", samples, &cases, sample::Sample::cpu_us)?;
    save("cpu.svg", &svg)?;
    svg.clear();
    let rate = |sample: &sample::Sample| (sample.memory_bytes <= 0.0).then(|| sample.done / sample.seconds);
    plot::bars(&mut svg, "Operations per second", "each second", samples, &cases, rate)?;
    save("rate.svg", &svg)?;
    svg.clear();
    plot::latency(&mut svg, samples, "open16")?;
    save("latency.svg", &svg)
}

fn read(path: &PathBuf) -> Result<String, ReportError> {
    std::fs::read_to_string(path).map_err(|error| ReportError::Read { path: path.clone(), error })
}
