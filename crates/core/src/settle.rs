//! IAM is eventually consistent: what we wrote a moment ago may not be seen yet. In: what was read
//! and what we know to have written; out: what to plan on. No IO; time enters as a value.
//!
//! A reading that differs from what we believe may be stale, but only if it shows a state that was
//! there before one of our own recent writes. Such a part is taken from belief until the window
//! has passed; anything else is real.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use smr_api::SessionManagerRoleStatus;

use crate::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};

/// What we believe IAM to hold, and what it held before our recent writes.
#[derive(Clone, Debug, Default)]
pub struct History {
    believed: Observed,
    superseded: Vec<(Timestamp, Observed)>,
}

/// What to plan on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The reading, with parts that may be stale taken from belief.
    pub state: Observed,
    /// Whether there were such parts: look again soon.
    pub stale_parts: bool,
}

impl History {
    /// Starts from a reading, or from an empty account.
    pub fn starting_from(believed: Observed) -> Self {
        Self {
            believed,
            superseded: Vec::new(),
        }
    }

    /// What we believe IAM to hold.
    pub fn believed(&self) -> &Observed {
        &self.believed
    }

    /// Our own write has changed IAM to `next`.
    pub fn wrote(&mut self, now: Timestamp, next: Observed) {
        let before = std::mem::replace(&mut self.believed, next);
        self.superseded.push((now, before));
    }

    /// A reading is taken as it is.
    pub fn saw(&mut self, seen: Observed) {
        self.believed = seen;
    }

    /// Whether any own write is younger than `window`. Forgets older ones.
    pub fn is_recent(&mut self, now: Timestamp, window: SignedDuration) -> bool {
        self.superseded
            .retain(|(at, _)| now.duration_since(*at) < window);
        !self.superseded.is_empty()
    }

    /// Judges a reading. Call [`Self::is_recent`] first, which forgets what is too old to matter.
    pub fn settle(&self, read: &Observed) -> Settled {
        let mut stale = false;
        let believed = &self.believed;
        let mut pick = Picker {
            superseded: &self.superseded,
            stale: &mut stale,
        };
        let role = pick.role(believed.role.as_ref(), read.role.as_ref());
        let policy = pick.policy(believed.policy.as_ref(), read.policy.as_ref());
        let instance_profile = pick.profile(
            believed.instance_profile.as_ref(),
            read.instance_profile.as_ref(),
        );
        Settled {
            state: Observed {
                role,
                policy,
                instance_profile,
            },
            stale_parts: stale,
        }
    }
}

struct Picker<'a> {
    superseded: &'a [(Timestamp, Observed)],
    stale: &'a mut bool,
}

impl Picker<'_> {
    /// `read`, or `believed` where `read` is how it was before an own write.
    fn part<T: PartialEq>(&mut self, believed: T, read: T, of: impl Fn(&Observed) -> T) -> T {
        if read == believed || !self.superseded.iter().any(|(_, state)| of(state) == read) {
            return read;
        }
        *self.stale = true;
        believed
    }

    fn role(
        &mut self,
        believed: Option<&ObservedRole>,
        read: Option<&ObservedRole>,
    ) -> Option<ObservedRole> {
        // Everything that GetRole answers is one part, but for what others change by using the role.
        let core = |role: &ObservedRole| ObservedRole {
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
            last_used: None,
            ..role.clone()
        };
        let role_core = self.part(believed.map(core), read.map(core), |s| {
            s.role.as_ref().map(core)
        })?;
        let attached =
            |role: Option<&ObservedRole>| role.map(|r| r.attached.clone()).unwrap_or_default();
        let inline =
            |role: Option<&ObservedRole>| role.map(|r| r.inline.clone()).unwrap_or_default();
        // Another object of the name: none of its parts is a reading of what we wrote.
        let Some(believed) = believed.filter(|b| b.id == role_core.id) else {
            return read.cloned();
        };
        Some(ObservedRole {
            attached: self.part(attached(Some(believed)), attached(read), |s| {
                attached(s.role.as_ref())
            }),
            inline: self.part(inline(Some(believed)), inline(read), |s| {
                inline(s.role.as_ref())
            }),
            last_used: read.and_then(|r| r.last_used),
            ..role_core
        })
    }

    fn policy(
        &mut self,
        believed: Option<&ObservedPolicy>,
        read: Option<&ObservedPolicy>,
    ) -> Option<ObservedPolicy> {
        let core = |policy: &ObservedPolicy| {
            (
                policy.arn.clone(),
                policy.id.clone(),
                policy.name.clone(),
                policy.tags.clone(),
            )
        };
        let document = |policy: Option<&ObservedPolicy>| {
            policy
                .map(|p| (p.default_version.clone(), p.document.clone()))
                .unwrap_or_default()
        };
        let versions = |policy: Option<&ObservedPolicy>| {
            policy.map(|p| p.versions.clone()).unwrap_or_default()
        };
        let (arn, id, name, tags) = self.part(believed.map(core), read.map(core), |s| {
            s.policy.as_ref().map(core)
        })?;
        // Another object of the name: none of its parts is a reading of what we wrote.
        let Some(believed) = believed.filter(|b| b.id == id) else {
            return read.cloned();
        };
        let (default_version, document) =
            self.part(document(Some(believed)), document(read), |s| {
                document(s.policy.as_ref())
            });
        let versions = self.part(versions(Some(believed)), versions(read), |s| {
            versions(s.policy.as_ref())
        });
        Some(ObservedPolicy {
            arn,
            id,
            name,
            tags,
            default_version,
            document,
            versions,
        })
    }

    fn profile(
        &mut self,
        believed: Option<&ObservedInstanceProfile>,
        read: Option<&ObservedInstanceProfile>,
    ) -> Option<ObservedInstanceProfile> {
        let core = |profile: &ObservedInstanceProfile| ObservedInstanceProfile {
            roles: BTreeSet::new(),
            ..profile.clone()
        };
        let roles = |profile: Option<&ObservedInstanceProfile>| {
            profile.map(|p| p.roles.clone()).unwrap_or_default()
        };
        let profile_core = self.part(believed.map(core), read.map(core), |s| {
            s.instance_profile.as_ref().map(core)
        })?;
        // Another object of the name: none of its parts is a reading of what we wrote.
        let Some(believed) = believed.filter(|b| b.id == profile_core.id) else {
            return read.cloned();
        };
        Some(ObservedInstanceProfile {
            roles: self.part(roles(Some(believed)), roles(read), |s| {
                roles(s.instance_profile.as_ref())
            }),
            ..profile_core
        })
    }
}

/// After a restart nothing is remembered, but status tells when `Ready` last changed: for how much
/// longer a difference may be a stale reading of what an earlier process wrote.
pub fn restart_window(
    status: Option<&SessionManagerRoleStatus>,
    now: Timestamp,
    window: SignedDuration,
) -> Option<SignedDuration> {
    let ready = status?.conditions.iter().find(|c| c.type_ == "Ready")?;
    let left = window - now.duration_since(ready.last_transition_time.0);
    (left > SignedDuration::ZERO).then_some(left)
}

#[cfg(test)]
mod tests;
