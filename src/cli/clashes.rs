//! Names in IAM that several manifests ask for: what each asks for in, who clashes with whom out. No
//! IO. An account has a name of a role, policy or instance profile once, whatever path and case.

use std::collections::BTreeMap;

use smr_core::kind::Kind;
use smr_core::resolve::Resolved;
use smr_core::resolve::desired::PolicyHome;

use smr_api::Key;

/// How many of the others a message names.
const NAMED_MAX: usize = 3;

/// Manifests that ask for the same name.
pub(super) struct Clash {
    /// In the order of the manifests.
    holders: Vec<Holder>,
    kinds: Vec<Kind>,
}

/// One of them.
pub(super) struct Holder {
    /// Which manifest.
    pub index: usize,
    /// The name in the manifest's own spelling.
    name: String,
    /// The name is that of the role, which clashes, too: one problem is enough.
    follows_role: bool,
}

/// A manifest that asks for a name.
struct Asker<'a> {
    index: usize,
    wanted: &'a Resolved,
    name: &'a str,
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

/// Every clash.
pub(super) fn clashes<'a>(all: impl Iterator<Item = (usize, &'a Resolved)>) -> Vec<Clash> {
    let mut asked: BTreeMap<(Kind, String), Vec<Asker<'_>>> = BTreeMap::new();
    for (index, wanted) in all {
        for (kind, name) in names(wanted) {
            let folded = (kind, name.to_ascii_lowercase());
            asked.entry(folded).or_default().push(Asker {
                index,
                wanted,
                name,
            });
        }
    }
    asked.retain(|_, holders| holders.len() > 1);
    let follows_role = |kind: Kind, name: &str, wanted: &Resolved| {
        let role = &wanted.desired.names.role;
        kind != Kind::Role
            && role.eq_ignore_ascii_case(name)
            && asked.contains_key(&(Kind::Role, role.to_ascii_lowercase()))
    };
    // The same manifests with the same name of several kinds are one clash.
    let mut found: BTreeMap<(&str, Vec<usize>), Clash> = BTreeMap::new();
    for ((kind, folded), holders) in &asked {
        let indices = holders.iter().map(|asker| asker.index).collect();
        let clash = found.entry((folded, indices)).or_insert_with(|| Clash {
            holders: (holders.iter())
                .map(
                    |&Asker {
                         index,
                         wanted,
                         name,
                     }| Holder {
                        index,
                        name: name.to_owned(),
                        follows_role: follows_role(*kind, name, wanted),
                    },
                )
                .collect(),
            kinds: Vec::new(),
        });
        clash.kinds.push(*kind);
    }
    found.into_values().collect()
}

fn names(wanted: &Resolved) -> impl Iterator<Item = (Kind, &str)> {
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

    /// All manifests that ask for it.
    pub fn indices(&self) -> impl Iterator<Item = usize> {
        self.holders.iter().map(|holder| holder.index)
    }

    /// Those for which it has to be said.
    pub fn holders(&self) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(|holder| !holder.follows_role)
    }

    /// The others, as messages name them: all of many manifests in the message of each are megabytes.
    fn others(&self, index: usize, other: impl Fn(usize) -> (Key, String)) -> String {
        let mut named: Vec<String> = (self.indices().filter(|i| *i != index))
            .take(NAMED_MAX)
            .map(other)
            .map(|(key, place)| format!("{}/{} ({place})", key.namespace, key.name))
            .collect();
        let more = self.holders.len() - 1 - named.len();
        if more == 0 {
            return named.join(", ");
        }
        let last = named.pop().unwrap_or_default();
        named.push(format!("{last} and {more} more"));
        named.join(", ")
    }

    /// What is wrong for one of them, and the way out.
    pub fn problem(
        &self,
        holder: &Holder,
        other: impl Fn(usize) -> (Key, String),
        way_out: WayOut,
    ) -> String {
        let others = self.others(holder.index, other);
        let kinds = match self.kinds.as_slice() {
            [] => String::new(),
            [one] => one.in_words().to_owned(),
            [first @ .., last] => {
                let first: Vec<&str> = first.iter().map(|kind| kind.in_words()).collect();
                format!("{} and {}", first.join(", "), last.in_words())
            }
        };
        let (name, field) = (&holder.name, self.field());
        let what_to_do = match way_out {
            WayOut::Rename => format!("Give each its own {field}"),
            WayOut::RenameThis => format!("Give this object another {field}"),
            WayOut::RenameOthers => format!("Give the other object another {field}"),
            WayOut::Recreate => {
                format!("Delete one of the objects, and create it with another {field}")
            }
        };
        format!(
            "the {kinds} would have the name {name}, as with {others}. An IAM name is unique in an account, whatever its path and case: the controller would create it for one object and report NotOwned on the other. {what_to_do}"
        )
    }
}
