//! Default names, what status may say of names, and whose a name is.

mod foreign;

use super::*;

fn subject(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        namespace: namespace.into(),
        name: name.into(),
        uid: "u".into(),
    }
}

#[test]
fn short_names_are_as_they_read() {
    assert_eq!(
        derived_role_name("", &subject("team-a", "web"), ROLE_NAME_MAX),
        "team-a.web"
    );
    assert_eq!(
        derived_role_name("eu.", &subject("team-a", "web"), ROLE_NAME_MAX),
        "eu.team-a.web"
    );
}

#[test]
fn long_names_stay_apart_and_fit() {
    let long = "x".repeat(100);
    let one = derived_role_name("", &subject("ns", &format!("{long}1")), ROLE_NAME_MAX);
    let two = derived_role_name("", &subject("ns", &format!("{long}2")), ROLE_NAME_MAX);
    assert_ne!(one, two);
    assert_eq!(one.len(), ROLE_NAME_MAX);
    assert!(one.starts_with("ns.xxx"));
    // Exactly 64 characters is not cut.
    assert_eq!(
        derived_role_name("", &subject("ns", &"y".repeat(61)), ROLE_NAME_MAX).len(),
        64
    );
    assert!(!derived_role_name("", &subject("ns", &"y".repeat(61)), ROLE_NAME_MAX).contains('-'));
}

fn resolved(name: &str, spec: &str, path: &str) -> Names {
    let spec = serde_saphyr::from_str(spec).unwrap();
    let limits = Limits {
        default_path: path.into(),
        ..Limits::new("c")
    };
    Names::resolve(&subject("ns", name), Some(&spec), None, &limits, None)
}

#[test]
fn a_hybrid_default_name_fits_an_activation() {
    const HYBRID: &str = "{principal: HybridActivation}";
    let long = "x".repeat(100);
    for path in [
        "/",
        "/session-manager/",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/yyy/",
    ] {
        let names = resolved(&long, HYBRID, path);
        assert_eq!(names.activation_role().len(), ACTIVATION_ROLE_MAX, "{path}");
        assert_eq!(names.policy, names.role);
        let other = resolved(&format!("{long}1"), HYBRID, path);
        assert_ne!(other.role, names.role);
    }
    // What fits keeps its name, as EC2's does.
    let just = "y".repeat(64 - "session-manager/".len() - "ns.".len());
    let names = resolved(&just, HYBRID, "/session-manager/");
    assert_eq!(
        names.activation_role(),
        format!("session-manager/ns.{just}")
    );
    assert_eq!(
        resolved(&format!("{just}y"), "{}", "/session-manager/").role,
        format!("ns.{just}y")
    );
    assert_eq!(resolved("web", HYBRID, "/").activation_role(), "ns.web");
}

#[test]
fn a_path_that_leaves_no_room_cuts_nothing_away() {
    let path = format!("/{}/", "p".repeat(60));
    assert_eq!(
        resolved("web", "{principal: HybridActivation}", &path).role,
        "ns.web"
    );
}

fn status(path: &str, role: &str) -> SessionManagerRoleStatus {
    let arn = format!("arn:aws:iam::111122223333:role{path}{role}");
    serde_json::from_value(serde_json::json!({
        "observedGeneration": 1,
        "role": { "name": role, "arn": arn, "id": "AROA1" },
        "policy": { "name": role },
        "instanceProfile": { "name": role, "arn": arn.replace(":role/", ":instance-profile/"), "id": "AIPA1" },
    }))
    .unwrap()
}

fn with_status(spec: &str, limits: &Limits, status: &SessionManagerRoleStatus) -> Names {
    let spec = serde_saphyr::from_str(spec).unwrap();
    Names::resolve(
        &subject("ns", "web"),
        Some(&spec),
        Some(status),
        limits,
        None,
    )
}

/// Whoever can write status gets no other name by it, and what was there before a flag changed stays.
#[test]
fn status_is_believed_only_where_the_name_can_have_been_given() {
    let limits = Limits::new("c");
    for (spec, recorded, believed) in [
        ("{}", "ns.web", true),
        ("{}", "old-ns.web", true),
        ("{}", "Ns.Web", true),
        ("{}", "admin", false),
        ("{}", "blue.web", false),
        ("{}", "ns.web2", false),
        ("{role: {name: mine}}", "mine", true),
        ("{role: {name: mine}}", "Mine", true),
        ("{role: {name: mine}}", "ns.web", false),
    ] {
        let names = with_status(spec, &limits, &status("/session-manager/", recorded));
        let all = [&names.role, &names.policy, &names.instance_profile];
        let is = all.iter().all(|name| *name == recorded);
        assert_eq!(is, believed, "{spec} {recorded}: {names:?}");
    }
    // A name that was cut, under a prefix of before.
    let long = subject("ns", &"x".repeat(100));
    let before = derived_role_name("old-", &long, ROLE_NAME_MAX);
    assert!(is_default_name(&before, &long));
    assert!(!is_default_name(&before, &subject("ns", &"x".repeat(101))));
    assert!(!is_default_name(&format!("{}0", &before[..63]), &long));
}

/// Once IAM was asked, its word counts and not that of status.
#[test]
fn a_path_that_is_not_allowed_counts_only_where_iam_has_it() {
    let limits = Limits::new("c");
    let spec = serde_saphyr::from_str("{}").unwrap();
    let forged = status("/admin/", "ns.web");
    let path = |live: Option<&Live>| {
        Names::resolve(
            &subject("ns", "web"),
            Some(&spec),
            Some(&forged),
            &limits,
            live,
        )
        .path
    };
    assert_eq!(path(None), "/admin/");
    assert_eq!(path(Some(&Live::default())), "/session-manager/");
    let live = Live {
        path: Some("/admin/".into()),
        ..Live::default()
    };
    assert_eq!(path(Some(&live)), "/admin/");
}

#[test]
fn nobody_takes_a_name_that_another_namespace_gets_by_default() {
    let plain = Limits::new("c");
    let prefixed = Limits {
        name_prefix: "eu-".into(),
        ..Limits::new("c")
    };
    let own = subject("red", "web");
    let long = subject(&"n".repeat(62), "web");
    let of_long = derived_role_name("", &long, ROLE_NAME_MAX);
    assert!(!of_long.contains('.'));
    for (limits, name, is_refused) in [
        (&plain, "blue.web", true),
        (&plain, "BLUE.web", true),
        (&plain, "no-such-namespace.x", true),
        (&plain, "red.web", false),
        (&plain, "Red.other", false),
        (&plain, "web", false),
        (&plain, "web-20261128", false),
        (&plain, ".web", false),
        (&plain, "blue.", false),
        (&plain, "a_b.web", false),
        (&plain, of_long.as_str(), true),
        (&prefixed, "eu-blue.web", true),
        (&prefixed, "EU-Blue.web", true),
        (&prefixed, "blue.web", false),
        (&prefixed, "eu-red.web", false),
    ] {
        let refused = other_namespace(name, &own, limits);
        assert_eq!(refused.is_some(), is_refused, "{name}: {refused:?}");
    }
    // Its own default is no other's.
    assert_eq!(other_namespace(&of_long, &long, &plain), None);
}
