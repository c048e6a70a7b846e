//! Which permissions boundary is for which path: flags in, pairs out, or why they do not fit. No IO.

use smr_api::forms;

use super::policy::Bound;
use super::{Args, BOUNDARIES};
use crate::cli::limits::texts;
use crate::cli::{CliError, flag};

impl Args {
    /// Each with the paths that it is for.
    pub(super) fn boundaries(&self) -> Result<Vec<Bound>, CliError> {
        let arns = texts(
            BOUNDARIES,
            &forms::POLICY_ARN,
            self.permissions_boundary_arn.clone(),
        )?;
        let account = self.account()?;
        if let Some(problem) = arns.iter().find_map(|arn| account.refuses_policy(arn)) {
            return Err(flag(BOUNDARIES, problem));
        }
        let paths = &self.path;
        let [_, _, ..] = arns.as_slice() else {
            let bound = |arn| Bound {
                arn,
                paths: paths.clone(),
            };
            return Ok(arns.into_iter().map(bound).collect());
        };
        if arns.len() != paths.len() {
            let problem = format!(
                "there are {} boundaries and {} of --path: give one --path for each boundary, in the same order",
                arns.len(),
                paths.len()
            );
            return Err(flag(BOUNDARIES, problem));
        }
        let lies_below = |a: &String, b: &String| a != b && a.starts_with(b.as_str());
        let nested = |a: &&String| paths.iter().any(|b| lies_below(a, b));
        if let Some(path) = paths.iter().find(nested) {
            let problem = format!(
                "{path} lies below another --path, so its roles could be given the boundary of either: with several boundaries, choose paths of which none lies below another"
            );
            return Err(flag("--path", problem));
        }
        let pairs = arns.into_iter().zip(paths.iter().cloned());
        Ok(pairs
            .map(|(arn, path)| Bound {
                arn,
                paths: vec![path],
            })
            .collect())
    }
}
