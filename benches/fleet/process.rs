//! What the kernel says of a process: its number in, CPU time and resident memory out. Reads /proc
//! (proc(5)), so Linux only.

use std::time::Duration;

/// Ticks of `utime` and `stime` in a second: USER_HZ, which is 100 on every architecture that
/// Linux shows to programs.
const TICKS: u32 = 100;

/// Resident memory, in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// VmRSS: now.
    pub now: f64,
    /// VmHWM: at most so far.
    pub peak: f64,
}

/// CPU time that the process has used so far, in user and system mode.
pub fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The name in parentheses may hold anything; utime and stime are fields 14 and 15.
    let (_, rest) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks: u32 = (rest.split_whitespace().skip(11).take(2))
        .map(|field| field.parse::<u32>().expect("a number of ticks"))
        .sum();
    Duration::from_secs(1) / TICKS * ticks
}

/// Its memory.
pub fn memory(pid: u32) -> Memory {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let field = |name: &str| -> f64 {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        let kib: f64 = number.and_then(|n| n.parse().ok()).expect("a size in kB");
        kib / 1024.0
    };
    Memory {
        now: field("VmRSS:"),
        peak: field("VmHWM:"),
    }
}

/// The machine in a few words: processors and their model.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |m| m.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}, {}", std::env::consts::OS)
}
