//! The program `smr`: arguments in, one command out.

use std::process::ExitCode;

use session_manager_role::cli::Cli;
use smr_manifest::shown::shown_lines;

/// A sweep reads pages of megabytes and keeps nothing of them: this allocator gives the memory back
/// to the system, as src/allocator.c tells it to, where glibc's keeps it. There is none for
/// Windows, where only the commands for a laptop are of use.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Cli::read().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("smr: {}", shown_lines(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}
