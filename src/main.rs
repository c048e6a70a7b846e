//! The program `smr`: arguments in, one command out.

use std::process::ExitCode;

use clap::Parser as _;
use session_manager_role::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smr: {error}");
            ExitCode::FAILURE
        }
    }
}
