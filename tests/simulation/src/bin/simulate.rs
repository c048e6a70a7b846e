//! `simulate`: plays stories. In: suites or a seed; out: verdicts or a story on standard output.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use simulation::report;
use simulation::script::Script;
use simulation::story::{Told, play};
use simulation::suites::{Size, Suite, shortest};

/// Most of a story's time goes into small allocations.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Plays stories of the whole program in virtual time.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// The suites, and whether all of their stories end well
    Suites {
        /// How many stories
        #[arg(long, value_enum, default_value = "test")]
        size: Stories,
        /// Only these suites (repeatable)
        #[arg(long, value_parser = suite)]
        only: Vec<Suite>,
        /// The first seed
        #[arg(long, default_value_t = 1)]
        first: u64,
        /// A document whose figures are written anew
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// How much virtual time a minute of real time plays: one thread, one replica, objects in sync
    Speed {
        /// How many objects
        #[arg(long, default_value_t = 20)]
        objects: usize,
        /// How many virtual hours
        #[arg(long, default_value_t = 48)]
        hours: u64,
    },
    /// The story of a seed, line by line, made short where it breaks a rule
    Story {
        /// The seed
        seed: u64,
        /// One of who leads, and not of random life
        #[arg(long)]
        leadership: bool,
    },
    /// The story of mutated specs of a seed
    Specs {
        /// The seed
        seed: u64,
    },
    /// The story of one live state, by the name that the suite gives it
    State {
        /// Such as "role Ours, policy absent, ..."
        name: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Stories {
    Quick,
    Test,
    Long,
}

impl From<Stories> for Size {
    fn from(stories: Stories) -> Self {
        match stories {
            Stories::Quick => Self::Quick,
            Stories::Test => Self::Test,
            Stories::Long => Self::Long,
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().command {
        What::Suites {
            size,
            only,
            first,
            write,
        } => suites(size.into(), &only, first, write),
        What::Speed { objects, hours } => {
            let tally = simulation::suites::in_sync(objects, hours);
            println!("{}", report::speed(&tally));
            ExitCode::SUCCESS
        }
        What::Specs { seed } => print(&simulation::suites::specs_story(seed), seed),
        What::State { name } => simulation::suites::state(&name).map_or_else(
            || {
                eprintln!("there is no such state: {name}");
                ExitCode::FAILURE
            },
            |told| print(&told, 0),
        ),
        What::Story { seed, leadership } => story(if leadership {
            Script::leadership(seed)
        } else {
            Script::life(seed)
        }),
    }
}

/// A suite by its name.
fn suite(name: &str) -> Result<Suite, String> {
    let names = || Suite::ALL.map(Suite::name).join(", ");
    let mut all = Suite::ALL.into_iter();
    all.find(|suite| suite.name() == name)
        .ok_or_else(|| format!("there are {}", names()))
}

fn suites(size: Size, only: &[Suite], first: u64, write: Option<PathBuf>) -> ExitCode {
    let wanted = |suite: &Suite| only.is_empty() || only.contains(suite);
    let mut played = Vec::new();
    for suite in Suite::ALL.into_iter().filter(wanted) {
        let tally = suite.run(size, first);
        println!("{}", report::line(suite, &tally));
        for failure in &tally.failures {
            println!("  {}: {}", failure.case, failure.broken.join("; "));
        }
        played.push((suite, tally));
    }
    if let Some(path) = write {
        let figures = format!("{}\n{}", what_was_played(), report::table(&played));
        let document = std::fs::read_to_string(&path).unwrap_or_default();
        let Some(document) = report::with_figures(&document, &figures) else {
            eprintln!("{} has no marks for figures", path.display());
            return ExitCode::FAILURE;
        };
        if let Err(error) = std::fs::write(&path, document) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    let is_well = !played.is_empty() && played.iter().all(|(_, tally)| tally.failures.is_empty());
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// When and of what the figures are.
fn what_was_played() -> String {
    let commit = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d");
    format!("Commit {}, {today}.\n", commit.unwrap_or_default())
}

/// The story of a script.
fn story(mut script: Script) -> ExitCode {
    let is_well = play(&script, false).broken.is_empty();
    if !is_well {
        script = shortest(&script);
        println!("a rule is broken; the shortest script found that breaks one:");
        for (at, act) in &script.acts {
            println!("  {:.3} s {act:?}", at.as_secs_f64());
        }
    }
    print(&play(&script, true), script.seed)
}

/// All lines of a story.
fn print(told: &Told, seed: u64) -> ExitCode {
    for line in &told.lines {
        println!("{line}");
    }
    println!("story {:016x} of seed {seed}", told.hash);
    for broken in &told.broken {
        println!("BROKEN: {broken}");
    }
    if told.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
