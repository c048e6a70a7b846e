//! Proofs and refusals, by tags and ids.

use super::*;

fn identity() -> Identity {
    Identity {
        cluster: ClusterIdentity::named("prod"),
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
            "an object of another namespace",
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
        assert!(holder.to_string().contains(words), "{holder}");
    }
    let Ownership::NotOurs(NotOurs::NotOwned { holder }) = judge(Some("AROA1"), &[]) else {
        panic!()
    };
    assert_eq!(holder, Holder::TagsRemoved);
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

/// The same identity in a cluster whose UID is known.
fn in_cluster(uid: &str, takes_over: Option<&str>) -> Identity {
    Identity {
        cluster: ClusterIdentity {
            uid: Some(uid.into()),
            takes_over: takes_over.map(str::to_owned),
            ..identity().cluster
        },
        ..identity()
    }
}

/// What is stamped with one cluster's UID is of no other cluster, whatever its name, and whichever ids are known.
#[test]
fn two_clusters_of_one_name_are_told_apart_by_their_uid() {
    const NEVER: AdoptionPolicy = AdoptionPolicy::Never;
    for uid in ["u1", "u0"] {
        let stamped = |cluster: Option<&str>| {
            let mut all = tags(&[(CLUSTER, "prod"), (OWNER, "team/web"), (UID, uid)]);
            all.extend(cluster.map(|uid| (CLUSTER_UID.to_owned(), uid.to_owned())));
            all
        };
        let full = if uid == "u1" {
            Proof::Full
        } else {
            Proof::EarlierUid
        };
        let unstamped = if uid == "u1" {
            Proof::WithoutClusterUid
        } else {
            Proof::EarlierUid
        };
        for recorded in [None, Some("AROA1")] {
            let judge =
                |identity: &Identity, tags: &Tags| prove(identity, NEVER, recorded, "AROA1", tags);
            let here = in_cluster("here", None);
            assert_eq!(judge(&here, &stamped(Some("here"))), Ownership::Ours(full));
            assert_eq!(judge(&here, &stamped(None)), Ownership::Ours(unstamped));
            let Ownership::NotOurs(NotOurs::NotOwned { holder }) =
                judge(&here, &stamped(Some("there")))
            else {
                panic!("taken from another cluster")
            };
            let words = holder.to_string();
            assert!(words.contains("--take-over-cluster-uid") && !words.contains("there)"));
            assert!(holder.for_the_log().unwrap().contains("there"));
            // A cluster that replaces it takes it over, and says so by its stamp.
            let anew = in_cluster("here", Some("there"));
            assert_eq!(
                judge(&anew, &stamped(Some("there"))),
                Ownership::Ours(Proof::EarlierUid)
            );
            let third = judge(&anew, &stamped(Some("elsewhere")));
            assert!(matches!(third, Ownership::NotOurs(_)));
            // Who does not know the cluster judges as before.
            assert_eq!(
                judge(&identity(), &stamped(Some("there"))),
                Ownership::Ours(full)
            );
        }
        let another = prove(
            &in_cluster("here", None),
            NEVER,
            Some("AROA0"),
            "AROA1",
            &stamped(Some("there")),
        );
        assert!(matches!(
            another,
            Ownership::NotOurs(NotOurs::Replaced { .. })
        ));
    }
}

#[test]
fn a_holder_is_told_without_the_names_of_others() {
    let holder = |pairs: &[(&str, &str)]| {
        let Ownership::NotOurs(NotOurs::NotOwned { holder }) = judge(None, pairs) else {
            panic!("{pairs:?}")
        };
        holder
    };
    let same = holder(&[(CLUSTER, "prod"), (OWNER, "team/api")]).to_string();
    assert!(
        same.contains("SessionManagerRole api of this namespace"),
        "{same}"
    );
    for pairs in [
        &[(CLUSTER, "prod"), (OWNER, "planted/secret")][..],
        &[(CLUSTER, "planted"), (OWNER, "team/web")],
        &[(CLUSTER, "planted"), (OWNER, "planted/secret")],
    ] {
        let holder = holder(pairs);
        assert!(!holder.to_string().contains("planted"), "{holder}");
        assert!(
            holder.for_the_log().unwrap().contains("planted"),
            "{holder}"
        );
    }
}
