//! Names in IAM that several manifests ask for: what each asks for in, who clashes with whom out. No
//! IO. An account has a name of a role, policy or instance profile once, whatever path and case.

use std::collections::BTreeMap;

use smr_core::desired::PolicyHome;
use smr_core::step::Kind;
use smr_core::wanted::Wanted;

use crate::controller::object::Key;

/// A manifest that asks for what others ask for, too.
pub(super) struct Clash {
    /// Which manifest.
    pub index: usize,
    /// Which others.
    pub others: Vec<usize>,
    /// The name in the manifest's own spelling.
    name: String,
    kinds: Vec<Kind>,
}

/// How a clash can be ended.
#[derive(Clone, Copy)]
pub(super) enum WayOut {
    /// Neither exists yet, or nobody knows.
    Rename,
    /// Another one has the name.
    RenameThis,
    /// This one has the name.
    RenameOthers,
    /// Both exist, and names can't be changed.
    Recreate,
}

/// Every clash, in the order of the manifests.
pub(super) fn clashes<'a>(all: impl Iterator<Item = (usize, &'a Wanted)>) -> Vec<Clash> {
    let mut holders: BTreeMap<(Kind, String), Vec<(usize, &str)>> = BTreeMap::new();
    for (index, wanted) in all {
        for (kind, name) in names(wanted) {
            let folded = (kind, name.to_ascii_lowercase());
            holders.entry(folded).or_default().push((index, name));
        }
    }
    let mut found: BTreeMap<(usize, &str, Vec<usize>), Vec<Kind>> = BTreeMap::new();
    for ((kind, _), holders) in holders.into_iter().filter(|(_, all)| all.len() > 1) {
        let indices: Vec<usize> = holders.iter().map(|(index, _)| *index).collect();
        for (index, name) in holders {
            let others = indices.iter().copied().filter(|o| *o != index).collect();
            found.entry((index, name, others)).or_default().push(kind);
        }
    }
    found
        .into_iter()
        .map(|((index, name, others), kinds)| Clash {
            index,
            others,
            name: name.to_owned(),
            kinds,
        })
        .collect()
}

fn names(wanted: &Wanted) -> impl Iterator<Item = (Kind, &str)> {
    let desired = &wanted.desired;
    let names = &desired.names;
    let is_managed = matches!(desired.policy.home, PolicyHome::Managed { .. });
    let has_profile = desired.instance_profile.is_some();
    [
        (Kind::Role, &names.role, true),
        (Kind::Policy, &names.policy, is_managed),
        (Kind::InstanceProfile, &names.instance_profile, has_profile),
    ]
    .into_iter()
    .filter(|(.., is_asked)| *is_asked)
    .map(|(kind, name, _)| (kind, name.as_str()))
}

impl Clash {
    /// The field that names the first of them.
    pub fn field(&self) -> &'static str {
        match self.kinds.first() {
            None | Some(Kind::Role) => "spec.role.name",
            Some(Kind::Policy) => "spec.policy.name",
            Some(Kind::InstanceProfile) => "spec.instanceProfile.name",
        }
    }

    /// What is wrong, and the way out.
    pub fn problem(&self, other: impl Fn(usize) -> (Key, String), way_out: WayOut) -> String {
        let others: Vec<String> = (self.others.iter())
            .map(|index| other(*index))
            .map(|(key, place)| format!("{}/{} ({place})", key.namespace, key.name))
            .collect();
        let kinds = match self.kinds.as_slice() {
            [] => String::new(),
            [one] => one.in_words().to_owned(),
            [first @ .., last] => {
                let first: Vec<&str> = first.iter().map(|kind| kind.in_words()).collect();
                format!("{} and {}", first.join(", "), last.in_words())
            }
        };
        let (name, field) = (&self.name, self.field());
        let what_to_do = match way_out {
            WayOut::Rename => format!("Give each its own {field}"),
            WayOut::RenameThis => format!("Give this object another {field}"),
            WayOut::RenameOthers => format!("Give the other object another {field}"),
            WayOut::Recreate => {
                format!("Delete one of the objects, and create it with another {field}")
            }
        };
        format!(
            "the {kinds} would have the name {name}, as with {}. An IAM name is unique in an account, whatever its path and case: the controller would create it for one object and report NotOwned on the other. {what_to_do}",
            others.join(", ")
        )
    }
}
