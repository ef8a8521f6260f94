//! The `wiregate` command: run the gateway, check a config, explain a statement, make a password verifier.
//!
//! Puts the planes together and does nothing on its own. Exit status: 0 for success, 1 for a failure, 2 for
//! wrong use. Errors go to standard error, one sentence a line; what was asked for goes to standard output.

#![forbid(unsafe_code)]

mod args;
mod check;
mod explain;
mod load;
mod machine;
mod output;
mod passwd;
mod run;
mod secrets;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Task};

/// Why a command did not do what it was asked for.
#[derive(Debug)]
enum Failure {
    /// It could not; each line is a sentence.
    Failed(Vec<String>),
    /// It was asked for something that makes no sense.
    Misused(String),
}

impl Failure {
    fn new(sentence: impl ToString) -> Self {
        Self::Failed(vec![sentence.to_string()])
    }
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Check { config } => check::check(&config),
        Task::Explain { config, listen, user, sql } => explain::explain(&config, &listen, &user, &sql),
        Task::Passwd { iterations } => passwd::passwd(iterations),
        Task::Run { config } => run::run(&config),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(sentences)) => {
            sentences.iter().for_each(|sentence| output::error(sentence));
            ExitCode::from(1)
        }
        Err(Failure::Misused(sentence)) => {
            output::error(&sentence);
            ExitCode::from(2)
        }
    }
}
