//! `simulate`: plays stories. In: a suite or a seed; out: a story or a verdict on standard output.

use std::process::ExitCode;

use clap::Parser;
use simulation::script::Script;
use simulation::story::play;
use simulation::suites;

/// Most of a story's time goes into small allocations.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Plays stories of the whole program in virtual time.
#[derive(Parser)]
struct Args {
    /// The story of this seed, line by line, made short where a rule is broken
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed: the script is one of leadership
    #[arg(long)]
    leadership: bool,
    /// Every crash point
    #[arg(long)]
    crash: bool,
    /// A long life of so many hours
    #[arg(long)]
    hours: Option<u64>,
    /// Objects of a long life
    #[arg(long, default_value_t = 50)]
    objects: usize,
    /// So many stories of random life
    #[arg(long, default_value_t = 20)]
    stories: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    first: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(seed) = args.seed {
        return one(if args.leadership {
            Script::leadership(seed)
        } else {
            Script::life(seed)
        });
    }
    let tally = if args.crash {
        suites::crash::run()
    } else if let Some(hours) = args.hours {
        suites::long::run(&[args.first], args.objects, hours)
    } else if args.leadership {
        suites::life::leadership(args.first..args.first + args.stories)
    } else {
        suites::life::life(args.first..args.first + args.stories)
    };
    for failure in &tally.failures {
        println!("{}: {}", failure.case, failure.broken.join("; "));
    }
    println!(
        "{} cases, {} failures, {:.1} virtual hours, {} calls, {:.1} s",
        tally.cases,
        tally.failures.len(),
        tally.lasted.as_secs_f64() / 3600.0,
        tally.calls,
        tally.took.as_secs_f64()
    );
    if tally.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The story of a script.
fn one(mut script: Script) -> ExitCode {
    let seed = script.seed;
    let is_well = play(&script, false).broken.is_empty();
    if !is_well {
        script = suites::life::shortest(&script);
        println!("a rule is broken; the shortest script that breaks one:");
        for (at, act) in &script.acts {
            println!("  {:.3} s {act:?}", at.as_secs_f64());
        }
    }
    let told = play(&script, true);
    for line in &told.lines {
        println!("{line}");
    }
    println!(
        "seed {seed}: story {:016x}, broken rules: {:#?}",
        told.hash, told.broken
    );
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
