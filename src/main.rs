//! The program `smr`: arguments in, one command out.

use std::process::ExitCode;

use session_manager_role::cli::Cli;

fn main() -> ExitCode {
    match Cli::read().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("smr: {error}");
            ExitCode::FAILURE
        }
    }
}
