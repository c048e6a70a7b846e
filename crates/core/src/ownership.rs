//! Ownership of IAM objects: the tags we set and the proof we ask for. In: tags and ids; out: what
//! may be done with the object. No IO.

use smr_api::{AdoptionPolicy, Tags};

use crate::names::ObjectRef;

/// Every tag key of ours begins with this.
pub const PREFIX: &str = "sessionmanager.dev/";
/// The cluster's name, `--cluster-name`.
pub const CLUSTER: &str = "sessionmanager.dev/cluster";
/// The UID of the cluster, which tells two clusters of one name apart.
pub const CLUSTER_UID: &str = "sessionmanager.dev/cluster-uid";
/// `<namespace>/<name>` of the object.
pub const OWNER: &str = "sessionmanager.dev/owner";
/// The object's UID.
pub const UID: &str = "sessionmanager.dev/uid";
/// Consent of someone with rights in AWS: `<cluster>/<namespace>/<name>`.
pub const ADOPTABLE_BY: &str = "sessionmanager.dev/adoptable-by";
/// The tags that prove ownership, set in the Create call itself.
pub const KEYS: [&str; 3] = [CLUSTER, OWNER, UID];
/// IAM's limit of tags on one object.
pub(crate) const TAGS_MAX: usize = 50;

/// Who we are, as far as tags tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `--cluster-name`
    pub cluster: String,
    /// The object.
    pub subject: ObjectRef,
}

impl Identity {
    /// The three tags of ownership.
    pub fn tags(&self) -> Tags {
        [
            (CLUSTER, self.cluster.clone()),
            (OWNER, self.subject.owner()),
            (UID, self.subject.uid.clone()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    fn consent(&self) -> String {
        format!("{}/{}", self.cluster, self.subject.owner())
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
    /// All three tags are ours.
    Full,
    /// Cluster and owner are ours, the uid is of an earlier object of the same name (restored from
    /// a backup): taken over, and stamped with the new uid.
    EarlierUid,
}

/// Why an object is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// It never was, as far as its tags tell.
    NotOwned {
        /// Whose it is, in words.
        holder: String,
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
    let tag = |key: &str| tags.get(key).map(String::as_str);
    tag(CLUSTER) == Some(identity.cluster.as_str())
        && tag(OWNER) == Some(identity.subject.owner().as_str())
}

/// Judges an object by its tags, its unique id and the id that status recorded for it.
pub fn prove(
    identity: &Identity,
    adoption: AdoptionPolicy,
    recorded_id: Option<&str>,
    id: &str,
    tags: &Tags,
) -> Ownership {
    let tag = |key: &str| tags.get(key).map(String::as_str);
    let as_recorded = recorded_id.is_none_or(|recorded| recorded == id);
    let names_us = names_us(identity, tags);
    let this_object = tag(UID) == Some(identity.subject.uid.as_str());
    if names_us && this_object {
        // With another id: our own re-creation before a crash.
        return Ownership::Ours(Proof::Full);
    }
    if names_us && as_recorded {
        return Ownership::Ours(Proof::EarlierUid);
    }
    if adoption == AdoptionPolicy::WithConsent
        && tag(ADOPTABLE_BY) == Some(identity.consent().as_str())
    {
        return Ownership::Adoptable;
    }
    Ownership::NotOurs(match recorded_id {
        Some(recorded) if recorded != id => NotOurs::Replaced {
            recorded: recorded.to_owned(),
            found: id.to_owned(),
        },
        Some(_) | None => NotOurs::NotOwned {
            holder: holder(identity, tags, recorded_id.is_some()),
        },
    })
}

/// Whose an object is, as its tags tell.
fn holder(identity: &Identity, tags: &Tags, was_ours: bool) -> String {
    let tag = |key: &str| tags.get(key).map(String::as_str);
    match (tag(CLUSTER), tag(OWNER)) {
        (Some(cluster), Some(owner)) if cluster == identity.cluster => {
            format!(
                "it belongs to SessionManagerRole {owner} of this cluster: delete this object and create it with other names"
            )
        }
        (Some(cluster), owner) if cluster != identity.cluster => format!(
            "it belongs to SessionManagerRole {} of cluster {cluster}: delete this object and create it with other names, or run this cluster's controller with --name-prefix",
            owner.unwrap_or("(unknown)")
        ),
        (Some(_) | None, _) if was_ours => {
            format!(
                "its ownership tags {CLUSTER} and {OWNER} were changed or removed: put them back, or delete it in AWS"
            )
        }
        (Some(_) | None, _) => format!(
            "it has no ownership tags of this controller: let it be adopted (adoptionPolicy WithConsent, and the tag {ADOPTABLE_BY} = {} on it), delete it in AWS, or delete this object and create it with another name",
            identity.consent()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            cluster: "prod".into(),
            subject: ObjectRef {
                namespace: "team".into(),
                name: "web".into(),
                uid: "u1".into(),
            },
        }
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn judge(recorded: Option<&str>, pairs: &[(&str, &str)]) -> Ownership {
        prove(
            &identity(),
            AdoptionPolicy::Never,
            recorded,
            "AROA1",
            &tags(pairs),
        )
    }

    const OURS: [(&str, &str); 3] = [(CLUSTER, "prod"), (OWNER, "team/web"), (UID, "u1")];

    #[test]
    fn our_tags_are_proof_whatever_id_was_recorded() {
        assert_eq!(judge(None, &OURS), Ownership::Ours(Proof::Full));
        assert_eq!(judge(Some("AROA1"), &OURS), Ownership::Ours(Proof::Full));
        assert_eq!(judge(Some("AROA0"), &OURS), Ownership::Ours(Proof::Full));
    }

    #[test]
    fn a_differing_uid_alone_is_taken_over_but_not_with_another_id() {
        let old = [(CLUSTER, "prod"), (OWNER, "team/web"), (UID, "u0")];
        assert_eq!(judge(None, &old), Ownership::Ours(Proof::EarlierUid));
        assert_eq!(
            judge(Some("AROA1"), &old),
            Ownership::Ours(Proof::EarlierUid)
        );
        assert!(matches!(
            judge(Some("AROA0"), &old),
            Ownership::NotOurs(NotOurs::Replaced { .. })
        ));
    }

    #[test]
    fn everything_else_is_not_ours_and_says_whose_it_is() {
        for (pairs, words) in [
            (&[][..], "no ownership tags"),
            (
                &[(CLUSTER, "prod"), (OWNER, "other/web"), (UID, "u1")][..],
                "SessionManagerRole other/web of this cluster",
            ),
            (
                &[(CLUSTER, "test"), (OWNER, "team/web"), (UID, "u1")][..],
                "--name-prefix",
            ),
            (&[(OWNER, "team/web"), (UID, "u1")][..], "no ownership tags"),
        ] {
            let Ownership::NotOurs(NotOurs::NotOwned { holder }) = judge(None, pairs) else {
                panic!("{pairs:?}")
            };
            assert!(holder.contains(words), "{holder}");
        }
        let Ownership::NotOurs(NotOurs::NotOwned { holder }) = judge(Some("AROA1"), &[]) else {
            panic!()
        };
        assert!(holder.contains("changed or removed"), "{holder}");
    }

    #[test]
    fn adoption_takes_consent_on_both_sides() {
        let consent = tags(&[(ADOPTABLE_BY, "prod/team/web")]);
        let judge = |adoption, tags: &Tags| prove(&identity(), adoption, None, "AROA1", tags);
        assert_eq!(
            judge(AdoptionPolicy::WithConsent, &consent),
            Ownership::Adoptable
        );
        assert!(matches!(
            judge(AdoptionPolicy::Never, &consent),
            Ownership::NotOurs(_)
        ));
        let other = tags(&[(ADOPTABLE_BY, "prod/team/api")]);
        assert!(matches!(
            judge(AdoptionPolicy::WithConsent, &other),
            Ownership::NotOurs(_)
        ));
    }
}
