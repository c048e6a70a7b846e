//! Whether IAM may not show yet what a deletion has to know. In: the object on its way out, recent
//! writes and a reading; out: whether to read again later, and where to look. No IO.

use std::collections::BTreeSet;

use jiff::Timestamp;
use smr_api::{
    ConditionType, PolicyType, Principal, Reason, SessionManagerRoleSpec, SessionManagerRoleStatus,
    Tags,
};

use crate::account::Account;
use crate::kind::Kind;
use crate::names::Names;
use crate::observed::Observed;
use crate::ownership::{Identity, UID, names_us};
use crate::plan::{Recorded, RecordedObject};
use crate::recent::RecentWrites;

/// An object on its way out, as far as it can be understood.
#[derive(Clone, Copy, Debug)]
pub struct Leaving<'a> {
    /// Whose tags prove ownership.
    pub identity: &'a Identity,
    /// The account of its IAM objects.
    pub account: &'a Account,
    /// What it last asked for, where that can be understood.
    pub spec: Option<&'a SessionManagerRoleSpec>,
    /// Its status.
    pub status: Option<&'a SessionManagerRoleStatus>,
}

impl Leaving<'_> {
    /// Which of the three may stand under another path or in another case than we know. After a
    /// refusal what is not ours does, and the last event names it; where status is lost, so may what
    /// is ours.
    pub fn anywhere(&self) -> BTreeSet<Kind> {
        let is_lost = Recorded::of(self.status).is_empty();
        let reason = self.status.and_then(SessionManagerRoleStatus::reason);
        let was_refused = matches!(reason, Some(Reason::NotOwned | Reason::Replaced));
        if is_lost || was_refused {
            Kind::ALL.into()
        } else {
            BTreeSet::new()
        }
    }

    /// What IAM does not show, or shows of an earlier incarnation, may be late: an earlier process may
    /// have created it a moment ago, or a Create call of this one got no answer.
    pub fn may_be_late(
        &self,
        names: &Names,
        read: &Observed,
        recent: &RecentWrites,
        now: Timestamp,
    ) -> bool {
        let Self { identity, spec, .. } = self;
        let account = &self.account.id;
        let recorded = Recorded::of(self.status);
        let is_earlier = |recorded: Option<&RecordedObject>, id: &str, tags: &Tags| {
            recorded.is_some_and(|r| r.id != id)
                && names_us(identity, tags)
                && tags.get(UID) != Some(&identity.subject.uid)
        };
        let managed = spec.is_none_or(|s| {
            s.policy.as_ref().and_then(|p| p.type_).unwrap_or_default() == PolicyType::Managed
        });
        let ec2 = spec.is_none_or(|s| s.principal.unwrap_or_default() == Principal::EC2);
        let is_young = recent.is_young(now);
        let by_an_earlier_process = is_young && self.may_have_written();
        let is_late = |kind: Kind, expected: bool, earlier: Option<bool>| {
            let unanswered = || recent.may_exist(now, account, names, kind);
            // What this process has deleted is not what an earlier one created.
            let deleted = || recent.was_freed(now, account, &names.of(kind));
            earlier.map_or_else(
                || (expected && by_an_earlier_process && !deleted()) || unanswered(),
                |earlier| earlier && is_young,
            )
        };
        let role = (read.role.as_ref()).map(|r| is_earlier(recorded.role.as_ref(), &r.id, &r.tags));
        let policy =
            (read.policy.as_ref()).map(|p| is_earlier(recorded.policy.as_ref(), &p.id, &p.tags));
        let profile = (read.instance_profile.as_ref())
            .map(|p| is_earlier(recorded.instance_profile.as_ref(), &p.id, &p.tags));
        is_late(Kind::Role, true, role)
            || is_late(Kind::Policy, managed, policy)
            || is_late(Kind::InstanceProfile, ec2, profile)
    }

    /// Whether an earlier process may have written to IAM for this object, as far as status says.
    fn may_have_written(&self) -> bool {
        let Some(status) = self.status else {
            return false;
        };
        let never_wrote = match status.condition(ConditionType::Ready) {
            None => true,
            Some(ready) => matches!(
                Reason::parse(&ready.reason),
                Some(Reason::InvalidSpec | Reason::CredentialsUnavailable | Reason::WrongAccount)
            ),
        };
        !(Recorded::of(Some(status)).is_empty() && never_wrote)
    }
}
