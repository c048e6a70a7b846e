//! `smr completions` and `smr man`: the command line itself in; scripts for a shell and man pages
//! out. No IO but for printing and writing man pages.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, CliError};

const EXAMPLES: &str = "\
Examples:
  smr completions bash > /etc/bash_completion.d/smr
  smr completions zsh > \"${fpath[1]}/_smr\"
  smr completions fish > ~/.config/fish/completions/smr.fish";

/// Flags of `smr completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Flags of `smr man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this directory [default: print the first page]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "smr", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}

pub(super) fn man(args: &ManArgs) -> Result<(), CliError> {
    if let Some(directory) = &args.directory {
        std::fs::create_dir_all(directory)?;
        return Ok(clap_mangen::generate_to(Cli::command(), directory)?);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    Ok(std::io::stdout().write_all(&page)?)
}
