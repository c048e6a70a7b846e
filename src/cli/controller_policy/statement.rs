//! Statements of the controller's own documents: each has a Sid, and lists even where there is one.
//! Values in, statements out. No IO.

use std::borrow::Cow;

use smr_core::resolve::document::Statement;

/// IAM's limit for a managed policy, white space not counted.
pub(super) const MANAGED_POLICY_MAX: usize = 6144;
/// IAM's default limit for a trust policy.
pub(super) const TRUST_POLICY_MAX: usize = 2048;
/// AWS Organizations' limit for a service control policy.
pub(super) const SCP_MAX: usize = 5120;

pub(super) fn allow(
    sid: impl Into<Cow<'static, str>>,
    actions: &[&str],
    resources: Vec<String>,
) -> Statement {
    let actions = actions.iter().copied();
    Statement::allow(actions, resources).sid(sid).with_list()
}

pub(super) fn deny(
    sid: impl Into<Cow<'static, str>>,
    actions: &[&str],
    resources: Vec<String>,
) -> Statement {
    let actions = actions.iter().copied();
    Statement::deny(actions, resources).sid(sid).with_list()
}
