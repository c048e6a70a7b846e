//! What is no drift.

use super::*;

/// Everything whose form may vary.
const SPEC: &str =
    "{principal: HybridActivation, hybrid: {regions: [eu-central-1, eu-west-1]}, tags: {env: prod},
    sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'},
    sessionLogs: {s3: {bucket: my-logs}, cloudWatch: {}}}";

/// The form changes, the meaning doesn't: nothing to do and nothing to tell.
fn is_the_same(spec: &str, change: impl FnOnce(&mut Observed)) {
    let desired = wanted(spec);
    let (mut state, recorded) = converged(&desired);
    let before = state.clone();
    change(&mut state);
    assert_ne!(state, before, "the change changes nothing");
    assert_eq!(planned(&desired, &state, &recorded), Planned::default());
}

fn statements(document: &mut serde_json::Value) -> &mut Vec<serde_json::Value> {
    document["Statement"].as_array_mut().unwrap()
}

fn role(state: &mut Observed) -> &mut crate::observed::ObservedRole {
    state.role.as_mut().unwrap()
}

fn policy(state: &mut Observed) -> &mut crate::observed::ObservedPolicy {
    state.policy.as_mut().unwrap()
}

#[test]
fn order_of_statements_actions_and_sources() {
    is_the_same(SPEC, |s| {
        edit(&mut policy(s).document, |d| statements(d).reverse());
    });
    is_the_same(SPEC, |s| {
        edit(&mut policy(s).document, |d| {
            for statement in statements(d) {
                statement["Action"].as_array_mut().unwrap().reverse();
            }
        });
        edit(&mut role(s).trust, |d| {
            d.pointer_mut("/Statement/0/Condition/ArnEquals/aws:SourceArn")
                .unwrap()
                .as_array_mut()
                .unwrap()
                .reverse();
        });
    });
}

#[test]
fn a_scalar_or_a_list_of_one() {
    is_the_same(SPEC, |s| {
        edit(&mut policy(s).document, |d| {
            for statement in statements(d) {
                statement["Resource"] = serde_json::json!([statement["Resource"]]);
                if statement["Action"].as_array().unwrap().len() == 1 {
                    statement["Action"] = statement["Action"][0].clone();
                }
            }
        });
        edit(&mut role(s).trust, |d| {
            let one = statements(d).remove(0);
            d["Statement"] = one;
        });
    });
}

#[test]
fn spaces_sids_an_actions_case_and_a_statement_in_two() {
    is_the_same(SPEC, |s| {
        let document = &mut policy(s).document;
        let value: serde_json::Value = serde_json::from_str(document).unwrap();
        *document = serde_json::to_string_pretty(&value).unwrap();
        edit(&mut role(s).trust, |d| {
            d["Id"] = "x".into();
            statements(d)[0]["Sid"] = "Trust".into();
            statements(d)[0]["Action"] = "STS:assumeRole".into();
        });
    });
    is_the_same(SPEC, |s| {
        edit(&mut policy(s).document, |d| {
            let mut second = statements(d)[0].clone();
            second["Action"].as_array_mut().unwrap().drain(..2);
            statements(d)[0]["Action"]
                .as_array_mut()
                .unwrap()
                .truncate(2);
            statements(d).push(second);
        });
    });
}

#[test]
fn what_others_add_beside_ours() {
    is_the_same("{tags: {env: prod}}", |s| {
        role(s).tags.insert("theirs".into(), "1".into());
        policy(s).tags.insert("theirs".into(), "1".into());
        let profile = s.instance_profile.as_mut().unwrap();
        profile.tags.insert("theirs".into(), "1".into());
    });
    // A boundary that the spec doesn't speak of stays.
    is_the_same("{}", |s| {
        role(s).boundary = Some("arn:aws:iam::111122223333:policy/theirs".into());
    });
    is_the_same("{}", |s| role(s).last_used = Some(Timestamp::UNIX_EPOCH));
    // Older versions of the policy have no effect.
    is_the_same("{}", |s| {
        policy(s).versions.insert("v0".into());
    });
}

/// IAM keeps the spelling that a role's tag key had first, and takes no second one.
#[test]
fn the_case_of_a_roles_tag_key() {
    let desired = wanted("{role: {tags: {Team: a}}}");
    let (mut state, recorded) = converged(&desired);
    let tags = &mut role(&mut state).tags;
    let value = tags.remove("Team").unwrap();
    tags.insert("team".into(), value);
    assert_eq!(planned(&desired, &state, &recorded), Planned::default());
    // A changed value is still seen, and told under the key that the spec has.
    role(&mut state).tags.insert("team".into(), "b".into());
    assert_eq!(
        sentences(&planned(&desired, &state, &recorded)),
        ["Role tags: the tag Team of the role was b, should be a"]
    );
    // On a policy the two are different keys.
    let desired = wanted("{policy: {tags: {Team: a}}}");
    let (mut state, recorded) = converged(&desired);
    policy(&mut state).tags.remove("Team");
    policy(&mut state).tags.insert("team".into(), "a".into());
    assert_eq!(
        sentences(&planned(&desired, &state, &recorded)),
        ["Policy tags: the tag Team of the policy was missing, should be a"]
    );
}
