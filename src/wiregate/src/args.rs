//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Stands between database clients and production servers: masks what a user may not see, refuses what a user
/// may not do, and records both.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = "Example:\n  wiregate run --config wiregate.toml")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Find everything that is wrong with a config, without starting
    ///
    /// Also looks at the files, secrets and cores that the config names. Exit status 1 where anything is wrong.
    #[command(after_help = "Example:\n  wiregate check --config /etc/wiregate/wiregate.toml")]
    Check {
        /// The config file
        #[arg(long, short, default_value = "wiregate.toml", value_name = "FILE")]
        config: PathBuf,
    },
    /// Show how the policy sees a statement, without running it
    ///
    /// Kinds, relations, where each column comes from, verdict and masks. No database is asked, so that views and
    /// aliases are told by name only; a running gateway knows more and masks no less.
    #[command(
        after_help = "Example:\n  wiregate explain --listen orders --user ana \"SELECT name, card FROM customers\""
    )]
    Explain {
        /// The config file
        #[arg(long, short, default_value = "wiregate.toml", value_name = "FILE")]
        config: PathBuf,
        /// Name of the listener
        #[arg(long, short, value_name = "NAME")]
        listen: String,
        /// Name of the user
        #[arg(long, short, value_name = "NAME")]
        user: String,
        /// The statement, or several
        sql: String,
    },
    /// Make the verifier of a password for `password = { scram = "…" }`
    ///
    /// Asks for the password, or reads one line from standard input where that is not a terminal. The password
    /// cannot be told from the verifier; still, keep both out of the reach of others.
    #[command(after_help = "Example:\n  wiregate passwd\n  wiregate passwd --iterations 20000 < password.txt")]
    Passwd {
        /// Rounds of PBKDF2; more make guessing slower, and each login too
        #[arg(long, default_value_t = postgres::scram::verifier::DEFAULT_ITERATIONS, value_name = "N",
              value_parser = clap::value_parser!(u32).range(4096..=10_000_000))]
        iterations: u32,
    },
    /// Run the gateway until SIGTERM
    ///
    /// SIGHUP, or a change of the file, loads the config again. SIGTERM or SIGINT stops: no new clients, running
    /// statements may end; a second one stops at once. WIREGATE_LOG sets what is logged, such as `debug`.
    #[command(after_help = "Example:\n  wiregate run --config /etc/wiregate/wiregate.toml")]
    Run {
        /// The config file
        #[arg(long, short, default_value = "wiregate.toml", value_name = "FILE")]
        config: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_an_example() {
        let command = Arguments::command();
        command.clone().debug_assert();
        for task in command.get_subcommands() {
            let help = task.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example:\n  wiregate "), "{} has no example", task.get_name());
        }
    }
}
