//! `seeded-bugs`: puts one fault after the other into a copy of the program, and shows which suites catch it. In:
//! the repository; out: a table on standard output. Runs git, cargo and what cargo builds.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;
use simulation::bugs::{BUGS, Bug};
use simulation::suites::Suite;

/// Puts faults into a copy of the program, and shows which suites catch each.
#[derive(Parser)]
struct Args {
    /// Only faults whose name has this in it
    #[arg(long, default_value = "")]
    only: String,
}

/// A copy of the repository in which faults come and go.
struct Copy {
    tree: PathBuf,
    /// Cargo's, which the copy shares: the dependencies are the same.
    target: PathBuf,
    /// The program with the fault.
    program: PathBuf,
}

fn main() -> ExitCode {
    match seeded(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("seeded-bugs: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every fault was caught.
fn seeded(args: &Args) -> Result<bool, Box<dyn Error>> {
    let copy = Copy::of_the_repository()?;
    let names: Vec<&str> = Suite::ALL.iter().map(|suite| suite.name()).collect();
    println!("| Fault | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(names.len()));
    let mut survivors = Vec::new();
    for bug in BUGS.iter().filter(|bug| bug.name.contains(&args.only)) {
        let caught = copy.caught(bug)?;
        let cells: Vec<&str> = caught
            .iter()
            .map(|caught| if *caught { "caught" } else { "" })
            .collect();
        println!("| {} | {} |", bug.name, cells.join(" | "));
        if !caught.contains(&true) {
            survivors.push(bug.name);
        }
    }
    for name in &survivors {
        println!("survives: {name}");
    }
    Ok(survivors.is_empty())
}

impl Copy {
    /// What git knows of the repository, as it is in the working tree.
    fn of_the_repository() -> Result<Self, Box<dyn Error>> {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).canonicalize()?;
        let place = root.join("target/seeded-bugs");
        let copy = Self {
            tree: place.join("tree"),
            target: std::env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| root.join("target"), PathBuf::from),
            program: place.join("simulate"),
        };
        let files = Command::new("git")
            .args(["ls-files", "-z"])
            .current_dir(&root)
            .output()?;
        for name in String::from_utf8(files.stdout)?
            .split('\0')
            .filter(|name| !name.is_empty())
        {
            let (from, to) = (root.join(name), copy.tree.join(name));
            let Ok(text) = fs::read(&from) else { continue };
            // What is the same keeps its time, and is not built anew.
            if fs::read(&to).is_ok_and(|there| there == text) {
                continue;
            }
            fs::create_dir_all(to.parent().unwrap_or(&copy.tree))?;
            fs::write(&to, text)?;
        }
        Ok(copy)
    }

    /// Which suites catch a fault.
    fn caught(&self, bug: &Bug) -> Result<Vec<bool>, Box<dyn Error>> {
        let file = self.tree.join(bug.file);
        let right = fs::read_to_string(&file)?;
        if right.matches(bug.from).count() != 1 {
            return Err(format!("'{}' does not fit {} any more", bug.name, bug.file).into());
        }
        fs::write(&file, right.replace(bug.from, bug.to))?;
        let caught = self.played();
        fs::write(&file, right)?;
        caught.map_err(|error| format!("'{}': {error}", bug.name).into())
    }

    fn played(&self) -> Result<Vec<bool>, Box<dyn Error>> {
        // As the Makefile builds it.
        let built = Command::new("cargo")
            .args(["build", "--quiet", "--workspace", "--test", "structure"])
            .args([
                "--bin",
                "simulate",
                "--config",
                "tests/simulation/optimized.toml",
            ])
            .arg("--target-dir")
            .arg(&self.target)
            .current_dir(&self.tree)
            .stderr(Stdio::null())
            .status()?;
        if !built.success() {
            return Err("the program does not build with it".into());
        }
        fs::copy(self.target.join("debug/simulate"), &self.program)?;
        Suite::ALL
            .iter()
            .map(|suite| self.catches(*suite))
            .collect()
    }

    /// Whether a suite fails.
    fn catches(&self, suite: Suite) -> Result<bool, Box<dyn Error>> {
        let played = Command::new(&self.program)
            .args(["suites", "--size", "quick", "--only", suite.name()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        Ok(!played.success())
    }
}
