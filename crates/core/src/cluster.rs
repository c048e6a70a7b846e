//! Which cluster an IAM object belongs to, as two of its tags name it. In: tags; out: this cluster, or another one. No
//! IO.

use smr_api::Tags;

/// The cluster's name, `--cluster-name`.
pub const CLUSTER: &str = "sessionmanager.dev/cluster";
/// The UID of the cluster, which tells two clusters of one name apart.
pub const CLUSTER_UID: &str = "sessionmanager.dev/cluster-uid";

/// A cluster, as tags name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// `--cluster-name`
    pub name: String,
    /// UID of the namespace kube-system, or `--cluster-uid`. The controller always has it; a command line
    /// without a cluster does not, and then nothing is said or decided by it.
    pub uid: Option<String>,
    /// `--take-over-cluster-uid`: the cluster that this one replaces.
    pub takes_over: Option<String>,
}

impl ClusterIdentity {
    /// A cluster of which nothing but the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            uid: None,
            takes_over: None,
        }
    }

    /// Whether tags name this cluster, and not another one of its name.
    pub fn is_named_by(&self, tags: &Tags) -> bool {
        tags.get(CLUSTER) == Some(&self.name) && self.stamp(tags) != Stamp::Another
    }

    pub(crate) fn stamp(&self, tags: &Tags) -> Stamp {
        match (&self.uid, tags.get(CLUSTER_UID)) {
            (None, _) => Stamp::Ours,
            (Some(_), None) => Stamp::Absent,
            (Some(uid), Some(found)) if found == uid => Stamp::Ours,
            (Some(_), Some(found)) if self.takes_over.as_ref() == Some(found) => Stamp::TakenOver,
            (Some(_), Some(_)) => Stamp::Another,
        }
    }
}

/// What [`CLUSTER_UID`] on an object says, where the cluster's name is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// This cluster.
    Ours,
    /// It was made before there was such a tag.
    Absent,
    /// A cluster that this one replaces.
    TakenOver,
    /// Another cluster of the same name.
    Another,
}
