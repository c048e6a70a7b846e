//! Ownership of IAM objects: the tags we set and the proof we ask for. In: tags and ids; out: what
//! may be done with the object. No IO.

mod holder;

use smr_api::{AdoptionPolicy, Tags};

use crate::cluster::Stamp;
use crate::names::ObjectRef;

pub use crate::cluster::{CLUSTER, CLUSTER_UID, ClusterIdentity};
pub use holder::Holder;

/// Every tag key of ours begins with this.
pub const PREFIX: &str = "sessionmanager.dev/";
/// `<namespace>/<name>` of the object.
pub const OWNER: &str = "sessionmanager.dev/owner";
/// The object's UID.
pub const UID: &str = "sessionmanager.dev/uid";
/// Consent of someone with rights in AWS: `<cluster>/<namespace>/<name>`.
pub const ADOPTABLE_BY: &str = "sessionmanager.dev/adoptable-by";
/// The tags that prove ownership, set in the Create call itself.
pub const KEYS: [&str; 4] = [CLUSTER, CLUSTER_UID, OWNER, UID];
/// Left on what a deletion retains: `<cluster>/<namespace>/<name>` of what it was of. No proof of anything.
pub const RETAINED_FROM: &str = "sessionmanager.dev/retained-from";
/// IAM's limit of tags on one object.
pub(crate) const TAGS_MAX: usize = 50;

/// Who we are, as far as tags tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which cluster.
    pub cluster: ClusterIdentity,
    /// The object.
    pub subject: ObjectRef,
}

impl Identity {
    /// The tags of ownership.
    pub fn tags(&self) -> Tags {
        let uid = self.cluster.uid.iter();
        [
            (CLUSTER, self.cluster.name.clone()),
            (OWNER, self.subject.owner()),
            (UID, self.subject.uid.clone()),
        ]
        .into_iter()
        .chain(uid.map(|uid| (CLUSTER_UID, uid.clone())))
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// `<cluster>/<namespace>/<name>`: in a consent, and on what is retained.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.cluster.name, self.subject.owner())
    }
}

/// What an object's tags and id say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Proven ours.
    Ours(Proof),
    /// Not ours, but both sides consent to a take-over: the stamp goes on before anything else.
    Adoptable,
    /// Not ours: not one write to it.
    NotOurs(NotOurs),
}

/// How ownership was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// All tags are ours.
    Full,
    /// The same, made before there was [`CLUSTER_UID`], which is put on without a word.
    WithoutClusterUid,
    /// Cluster and owner are ours, the uid is of an earlier object of the same name (restored from
    /// a backup), or of a cluster that this one replaces: taken over, and stamped anew.
    EarlierUid,
}

/// Why an object is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// It never was, as far as its tags tell.
    NotOwned {
        /// Whose it is.
        holder: Holder,
    },
    /// It has the name of one that was ours, but another unique id, and not our tags.
    Replaced {
        /// The id in status.
        recorded: String,
        /// The id found.
        found: String,
    },
}

/// Whether an object's tags name this cluster and this object, of whichever uid.
pub fn names_us(identity: &Identity, tags: &Tags) -> bool {
    identity.cluster.is_named_by(tags) && tags.get(OWNER) == Some(&identity.subject.owner())
}

/// Judges an object by its tags, its unique id and the id that status recorded for it.
pub fn prove(
    identity: &Identity,
    adoption: AdoptionPolicy,
    recorded_id: Option<&str>,
    id: &str,
    tags: &Tags,
) -> Ownership {
    let as_recorded = recorded_id.is_none_or(|recorded| recorded == id);
    let this_object = tags.get(UID) == Some(&identity.subject.uid);
    // With another id: our own re-creation before a crash.
    if names_us(identity, tags) && (this_object || as_recorded) {
        return Ownership::Ours(match identity.cluster.stamp(tags) {
            Stamp::Ours if this_object => Proof::Full,
            Stamp::Absent if this_object => Proof::WithoutClusterUid,
            Stamp::Ours | Stamp::Absent | Stamp::TakenOver | Stamp::Another => Proof::EarlierUid,
        });
    }
    if adoption == AdoptionPolicy::WithConsent
        && tags.get(ADOPTABLE_BY) == Some(&identity.full_name())
    {
        return Ownership::Adoptable;
    }
    Ownership::NotOurs(match recorded_id {
        Some(recorded) if recorded != id => NotOurs::Replaced {
            recorded: recorded.to_owned(),
            found: id.to_owned(),
        },
        Some(_) | None => NotOurs::NotOwned {
            holder: Holder::of(identity, tags, recorded_id.is_some()),
        },
    })
}

#[cfg(test)]
mod tests;
