//! First creation, on an empty account: two stages, and never a call more than it takes.

use super::*;

fn first(spec: &str) -> (Desired, Planned) {
    let desired = wanted(spec);
    let planned = planned(&desired, &Observed::default(), &Recorded::default());
    // It can be carried out, and nothing is left after it.
    converged(&desired);
    (desired, planned)
}

#[test]
fn five_calls_in_two_stages() {
    let (desired, planned) = first("{tags: {env: prod}}");
    assert_eq!(
        steps(&desired, &planned.plan),
        [
            vec![
                "CreateRole /session-manager/team.web TRUST \"Session Manager role of SessionManagerRole team/web in cluster test\" 3600 s, boundary none, tags env=prod, OWNERSHIP",
                "CreatePolicy /session-manager/team.web POLICY \"Session Manager permissions of SessionManagerRole team/web in cluster test\", tags env=prod, OWNERSHIP",
                "CreateInstanceProfile /session-manager/team.web, tags env=prod, OWNERSHIP",
            ],
            vec![
                "AttachRolePolicy team.web arn:aws:iam::111122223333:policy/session-manager/team.web",
                "AddRoleToInstanceProfile team.web team.web",
            ],
        ]
    );
    assert_eq!(
        sentences(&planned),
        [
            "Role existence: the role arn:aws:iam::111122223333:role/session-manager/team.web was missing",
            "Policy existence: the policy arn:aws:iam::111122223333:policy/session-manager/team.web was missing",
            "InstanceProfile existence: the instance profile arn:aws:iam::111122223333:instance-profile/session-manager/team.web was missing",
        ]
    );
    assert_eq!((planned.wait, planned.adopts), (None, vec![]));
}

#[test]
fn an_inline_policy_takes_four() {
    let (desired, planned) = first("{policy: {type: Inline, name: agent}}");
    let stages = steps(&desired, &planned.plan);
    assert_eq!(
        stages.iter().map(Vec::len).collect::<Vec<_>>(),
        [2, 2],
        "{stages:?}"
    );
    assert_eq!(
        stages[1],
        [
            "PutRolePolicy team.web agent POLICY",
            "AddRoleToInstanceProfile team.web team.web"
        ]
    );
}

#[test]
fn a_hybrid_role_has_no_instance_profile() {
    let (desired, planned) =
        first("{principal: HybridActivation, hybrid: {regions: [eu-central-1]}}");
    let stages = steps(&desired, &planned.plan);
    let actions: Vec<Vec<&str>> = stages
        .iter()
        .map(|s| s.iter().filter_map(|l| l.split(' ').next()).collect())
        .collect();
    assert_eq!(
        actions,
        [vec!["CreateRole", "CreatePolicy"], vec!["AttachRolePolicy"]]
    );
    // One of that name is none of our business, whosever it is.
    let mut observed = Observed {
        instance_profile: converged(&wanted("{}")).0.instance_profile,
        ..Observed::default()
    };
    observed.instance_profile.as_mut().unwrap().tags.clear();
    assert_eq!(
        super::planned(&desired, &observed, &Recorded::default()),
        planned
    );
}

#[test]
fn further_policies_are_one_call_each_after_the_own_one() {
    let (desired, planned) = first(
        "{role: {permissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/cap'},
          additionalPolicyArns: ['arn:aws:iam::aws:policy/B', 'arn:aws:iam::aws:policy/A']}",
    );
    let stages = steps(&desired, &planned.plan);
    assert_eq!(stages.len(), 3);
    assert!(
        stages[0][0].contains("boundary arn:aws:iam::111122223333:policy/cap"),
        "a role is never without its boundary: {stages:?}"
    );
    assert_eq!(
        stages[1..],
        [
            vec![
                "AttachRolePolicy team.web arn:aws:iam::111122223333:policy/session-manager/team.web",
                "AddRoleToInstanceProfile team.web team.web",
            ],
            vec![
                "AttachRolePolicy team.web arn:aws:iam::aws:policy/A",
                "AttachRolePolicy team.web arn:aws:iam::aws:policy/B",
            ],
        ]
    );
}

#[test]
fn every_kind_of_spec_takes_two_stages_and_further_policies_one_more() {
    for principal in ["EC2", "HybridActivation"] {
        for type_ in ["Managed", "Inline"] {
            for more in ["[]", "['arn:aws:iam::aws:policy/A']"] {
                let spec = format!(
                    "{{principal: {principal}, policy: {{type: {type_}}}, additionalPolicyArns: {more}}}"
                );
                let (_, planned) = first(&spec);
                // An inline policy takes none of the room for attached ones.
                let waits = type_ == "Managed" && more != "[]";
                let stages = if waits { 3 } else { 2 };
                assert_eq!(planned.plan.stages.len(), stages, "{spec}");
            }
        }
    }
}
