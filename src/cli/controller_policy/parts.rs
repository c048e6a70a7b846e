//! A policy that is too large for IAM, in parts: a document in, documents out. No IO.

use smr_core::resolve::document::Document;

use super::statement::MANAGED_POLICY_MAX;
use super::{Args, fitting};
use crate::cli::{CliError, flag};

/// A policy in as few parts as IAM's limit allows: statements in several policies of a role count as those of one.
pub(super) fn in_parts(policy: Document) -> Result<Vec<Document>, CliError> {
    let mut parts: Vec<Document> = Vec::new();
    for statement in policy.statements {
        let mut part = parts.pop().unwrap_or(Document {
            statements: Vec::new(),
        });
        part.statements.push(statement);
        if part.statements.len() > 1 && part.size() > MANAGED_POLICY_MAX {
            let next = part.statements.pop().into_iter().collect();
            parts.extend([part, Document { statements: next }]);
        } else {
            parts.push(part);
        }
    }
    let fits = |part| fitting(part, MANAGED_POLICY_MAX);
    parts.into_iter().map(fits).collect()
}

impl Args {
    /// The part that `--part` asks for; all of it, where that fits.
    pub(super) fn one_part(&self, policy: Document) -> Result<Document, CliError> {
        let size = policy.size();
        let mut parts = in_parts(policy)?;
        let count = parts.len();
        match (self.part, count) {
            (None, 1) => {}
            (None, _) => {
                return Err(flag(
                    "--document",
                    format!(
                        "the policy has {size} characters without white space, AWS takes {MANAGED_POLICY_MAX}: print it in {count} parts, from --part 1 to --part {count}, and attach all of them to the controller's role"
                    ),
                ));
            }
            (Some(number), _) if usize::from(number) > count => {
                return Err(flag(
                    "--part",
                    format!("the policy has no more than {count}"),
                ));
            }
            (Some(_), _) => {}
        }
        Ok(parts.swap_remove(usize::from(self.part.unwrap_or(1)) - 1))
    }
}
