//! What 'smr run --help' shows under which heading.

use std::fmt::Write as _;

use crate::support::Bench;

#[tokio::test]
async fn every_flag_of_run_is_under_its_heading() {
    let bench = Bench::new(&[("x", "")]);
    let help = bench.smr(&["run", "--help"]).await.stdout;
    let mut flags = String::new();
    for line in help.lines() {
        if line.ends_with(':') && !line.starts_with(' ') {
            writeln!(flags, "{line}").unwrap();
        }
        if let Some(flag) = line.split_whitespace().find(|word| word.starts_with("--"))
            && line.trim_start().starts_with('-')
        {
            writeln!(flags, "  {flag}").unwrap();
        }
    }
    insta::assert_snapshot!("run-headings", flags);
    for named in ["SMR_LOG_LEVEL", "SMR_LOG ", "RUST_LOG"] {
        assert!(help.contains(named), "{named} is not in {help}");
    }
}
