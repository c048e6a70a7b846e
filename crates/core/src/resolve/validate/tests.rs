//! Specs as users write them, through the real validate step. Also the fixtures of other modules.

mod policies;
mod written;

use super::*;
use crate::account::Partition;

/// The account of all fixtures.
pub(crate) fn account() -> Account {
    Account {
        id: "111122223333".into(),
        partition: Partition::Aws,
    }
}

/// The object of all fixtures.
pub(crate) fn subject() -> ObjectRef {
    ObjectRef {
        namespace: "team".into(),
        name: "web".into(),
        uid: "11111111-aaaa-bbbb-cccc-222222222222".into(),
    }
}

/// Validates a spec in YAML with the given limits.
pub(crate) fn check(spec: &str, limits: &Limits) -> Result<ValidSpec, Vec<Invalid>> {
    let spec: SessionManagerRoleSpec = serde_saphyr::from_str(spec).unwrap();
    let names = Names::resolve(&subject(), Some(&spec), None, limits, None);
    validate(&spec, &subject(), &names, &account(), limits)
}

/// What stands against creating a spec in YAML.
pub(crate) fn against_creation(spec: &str, limits: &Limits) -> Vec<Invalid> {
    let spec: SessionManagerRoleSpec = serde_saphyr::from_str(spec).unwrap();
    let names = Names::resolve(&subject(), Some(&spec), None, limits, None);
    creation(&spec, &subject(), &names, limits, None).problems
}

/// A valid spec in YAML.
pub(crate) fn valid(spec: &str) -> ValidSpec {
    check(spec, &Limits::new("test")).unwrap()
}

fn problems(spec: &str, limits: &Limits) -> Vec<String> {
    check(spec, limits)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn an_empty_spec_has_every_default() {
    let spec = valid("{}");
    assert_eq!(spec.names.role, "team.web");
    assert_eq!(spec.names.policy, "team.web");
    assert_eq!(spec.names.instance_profile, "team.web");
    assert_eq!(spec.names.path, "/session-manager/");
    assert_eq!(spec.max_session_duration, 3600);
    assert_eq!(
        spec.role_description,
        "Session Manager role of SessionManagerRole team/web in cluster test"
    );
    assert_eq!(spec.permissions_boundary_arn, None);
}

#[test]
fn what_the_operator_does_not_allow_is_refused_with_the_way_out() {
    let mut limits = Limits::new("test");
    let found = problems(
        "{path: /other/, additionalPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']}",
        &limits,
    );
    assert!(
        found[0].starts_with("spec.additionalPolicyArns[0]: ")
            && found[0].contains("--allow-additional-policy"),
        "{found:?}"
    );
    assert_eq!(found.len(), 1, "{found:?}");
    // A path that is not allowed any more breaks nothing that is there.
    let found = against_creation("{path: /other/}", &limits);
    assert_eq!(found.len(), 1, "{found:?}");
    let found = found[0].to_string();
    assert!(
        found.starts_with("spec.path: /other/ is not among the paths")
            && found.contains("--allow-path /other/"),
        "{found}"
    );
    limits.allowed_paths = vec!["/other/".into()];
    limits.allowed_additional_policies = vec!["arn:aws:iam::aws:policy/*".into()];
    assert!(
        check(
            "{path: /other/, additionalPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess']}",
            &limits
        )
        .is_ok()
    );
}

#[test]
fn the_operators_boundary_and_tags_can_not_be_overridden() {
    let mut limits = Limits::new("test");
    limits.permissions_boundary_arn = Some("arn:aws:iam::111122223333:policy/cap".into());
    limits.tags.insert("cost".into(), "7".into());
    let found = problems(
        "{role: {permissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/mine'}, tags: {cost: '8'}}",
        &limits,
    );
    assert!(
        found
            .iter()
            .any(|p| p.starts_with("spec.role.permissionsBoundaryArn: ")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|p| p.contains("the tag cost is set by the operator (--tag cost=7)")),
        "{found:?}"
    );
    let spec = check("{}", &limits).unwrap();
    assert_eq!(
        spec.permissions_boundary_arn.as_deref(),
        Some("arn:aws:iam::111122223333:policy/cap")
    );
    assert_eq!(spec.policy_tags.get("cost").map(String::as_str), Some("7"));
}

#[test]
fn a_clash_by_case_says_which_tag_is_the_operators() {
    let mut limits = Limits::new("test");
    for (operators, specs) in [("team", "Team"), ("Team", "team")] {
        limits.tags = Tags::from([(operators.into(), "y".into())]);
        assert_eq!(
            problems(&format!("{{tags: {{{specs}: x}}}}"), &limits),
            [format!(
                "spec.role.tags: the key {specs} differs only by case from {operators}, which the operator sets (--tag {operators}=y), and IAM can't tell them apart on a role: remove {specs} from spec"
            )]
        );
    }
    limits.tags.clear();
    assert_eq!(
        problems("{tags: {Team: x, team: y}}", &limits),
        [
            "spec.role.tags: the keys Team and team differ only by case, which IAM can't tell apart on a role: keep one of them"
        ]
    );
}

/// Names and path can't be changed: what is too long is made anew.
#[test]
fn a_role_that_no_activation_takes_is_refused_with_a_way_out_that_works() {
    let mut limits = Limits::new("test");
    let name = "n".repeat(50);
    let hybrid = "principal: HybridActivation";
    assert_eq!(
        problems(&format!("{{{hybrid}, role: {{name: {name}}}}}"), &limits),
        [format!(
            "spec.role.name: a hybrid activation names the role by path and name, session-manager/{name}, which has 66 characters; AWS takes 64. Delete this object and create it with a shorter spec.role.name"
        )]
    );
    limits.default_path = format!("/{}/", "p".repeat(61));
    let found = problems(&format!("{{{hybrid}}}"), &limits);
    assert!(found[0].starts_with("spec.path: "), "{found:?}");
    limits.default_path = "/session-manager/".into();
    assert_eq!(
        against_creation("{path: /other/}", &limits)[0].to_string(),
        "spec.path: /other/ is not among the paths that this controller may use (/session-manager/). Ask the operator for --allow-path /other/, or delete this object and create it without spec.path"
    );
}

#[test]
fn the_tags_of_an_object_win_over_the_shared_ones() {
    let spec = valid("{tags: {a: '1', b: '1'}, role: {tags: {b: '2'}}}");
    assert_eq!(spec.role_tags.get("b").map(String::as_str), Some("2"));
    assert_eq!(spec.policy_tags.get("b").map(String::as_str), Some("1"));
}

#[test]
fn what_can_not_be_is_refused() {
    let limits = Limits::new("test");
    for (spec, field) in [
        (
            "{principal: HybridActivation, instanceProfile: {}}",
            "spec.instanceProfile",
        ),
        ("{hybrid: {regions: [eu-central-1]}}", "spec.hybrid"),
        (
            "{policy: {type: Inline, description: x}}",
            "spec.policy.description",
        ),
        (
            "{sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:111122223333:alias/x'}}",
            "spec.sessionEncryption.kmsKeyArn",
        ),
        (
            "{sessionEncryption: {kmsKeyArn: 'arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'}}",
            "spec.sessionEncryption.kmsKeyArn",
        ),
        (
            "{sessionLogs: {s3: {bucket: my-logs, encryption: KMS}}}",
            "spec.sessionLogs.s3.kmsKeyArn",
        ),
        (
            "{sessionLogs: {s3: {bucket: my-logs, keyPrefix: 'a*'}}}",
            "spec.sessionLogs.s3.keyPrefix",
        ),
        ("{tags: {'AWS:x': '1'}}", "spec.tags"),
        ("{role: {tags: {Team: a, team: b}}}", "spec.role.tags"),
        (
            "{principal: HybridActivation, role: {name: nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn}}",
            "spec.role.name",
        ),
    ] {
        let found = problems(spec, &limits);
        assert!(
            found[0].starts_with(&format!("{field}: ")),
            "{spec}: {found:?}"
        );
    }
}
