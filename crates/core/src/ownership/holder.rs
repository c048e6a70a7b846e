//! Whose an object is that is not ours. In: its tags; out: who holds it, in words that tell a tenant nothing of
//! others. No IO. The names are for the log only.

use std::fmt;

use smr_api::Tags;

use super::{ADOPTABLE_BY, CLUSTER, CLUSTER_UID, Identity, OWNER};
use crate::cluster::Stamp;

/// Who holds an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Another object of the same namespace.
    ThisNamespace {
        /// Its name.
        name: String,
    },
    /// An object of another namespace of this cluster.
    OtherNamespace {
        /// Such as `other/web`. Not shown.
        owner: String,
    },
    /// A cluster of another name.
    OtherCluster {
        /// Which. Not shown.
        cluster: String,
        /// Its object. Not shown.
        owner: Option<String>,
    },
    /// Another cluster that was given the same name.
    SameClusterName {
        /// Its UID. Not shown.
        uid: String,
    },
    /// Nobody now; it was this object's.
    TagsRemoved,
    /// Nobody, as far as its tags tell.
    Nobody {
        /// The consent that would let it be adopted.
        consent: String,
    },
    /// It may be adopted, but is elsewhere than the others of this object.
    OtherPath {
        /// Its path.
        found: String,
        /// That of the others.
        wanted: String,
    },
}

impl Holder {
    /// As an object's tags tell. `was_ours`: status has recorded it.
    pub(super) fn of(identity: &Identity, tags: &Tags, was_ours: bool) -> Self {
        let cluster = &identity.cluster;
        let owner = tags.get(OWNER);
        match (tags.get(CLUSTER), owner) {
            (Some(name), _) if *name == cluster.name && cluster.stamp(tags) == Stamp::Another => {
                Self::SameClusterName {
                    uid: tags.get(CLUSTER_UID).cloned().unwrap_or_default(),
                }
            }
            (Some(name), Some(owner)) if *name == cluster.name => match owner.split_once('/') {
                Some((namespace, name)) if namespace == identity.subject.namespace => {
                    Self::ThisNamespace {
                        name: name.to_owned(),
                    }
                }
                Some(_) | None => Self::OtherNamespace {
                    owner: owner.clone(),
                },
            },
            (Some(name), owner) if *name != cluster.name => Self::OtherCluster {
                cluster: name.clone(),
                owner: owner.cloned(),
            },
            (Some(_) | None, _) if was_ours => Self::TagsRemoved,
            (Some(_) | None, _) => Self::Nobody {
                consent: identity.full_name(),
            },
        }
    }

    /// What the log says besides: names that people who read the object may not know.
    pub fn for_the_log(&self) -> Option<String> {
        match self {
            Self::OtherNamespace { owner } => Some(format!("SessionManagerRole {owner}")),
            Self::OtherCluster { cluster, owner } => Some(format!(
                "SessionManagerRole {} of cluster {cluster}",
                owner.as_deref().unwrap_or("(unknown)")
            )),
            Self::SameClusterName { uid } => Some(format!("the cluster with the UID {uid}")),
            Self::ThisNamespace { .. }
            | Self::TagsRemoved
            | Self::Nobody { .. }
            | Self::OtherPath { .. } => None,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisNamespace { name } => write!(
                f,
                "it belongs to SessionManagerRole {name} of this namespace: delete this object and create it with other names"
            ),
            Self::OtherNamespace { .. } => f.write_str(
                "it belongs to an object of another namespace: delete this object and create it with other names",
            ),
            Self::OtherCluster { .. } => f.write_str(
                "it belongs to another cluster: delete this object and create it with other names, or run this cluster's controller with --name-prefix",
            ),
            Self::SameClusterName { .. } => f.write_str(
                "it belongs to another cluster whose controller has the same --cluster-name. Where both clusters exist, give one of them another name. Where this cluster replaces that one, ask the operator for --take-over-cluster-uid (the controller's log has the UID)",
            ),
            Self::TagsRemoved => write!(
                f,
                "its ownership tags {CLUSTER} and {OWNER} were changed or removed: put them back, or delete it in AWS"
            ),
            Self::Nobody { consent } => write!(
                f,
                "it has no ownership tags of this controller: let it be adopted (adoptionPolicy WithConsent, and the tag {ADOPTABLE_BY} = {consent} on it), delete it in AWS, or delete this object and create it with another name"
            ),
            // The three IAM objects share one path, so that the controller's own IAM policy can name it.
            Self::OtherPath { found, wanted } => write!(
                f,
                "it may be adopted, but it is under the path {found} and the others of this object are under {wanted}: recreate it in AWS under {wanted}, or create this object anew with spec.path {found}"
            ),
        }
    }
}
