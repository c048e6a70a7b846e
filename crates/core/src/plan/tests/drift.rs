//! Everything that can drift, in every way: the sentences and the exact steps, in snapshots that
//! read like a report. Each row is also carried out, and then nothing is left to do.

use crate::step::RoleStep;
use std::fmt::Write as _;

use super::*;
use crate::observed::{ObservedInstanceProfile, ObservedPolicy, ObservedRole};

const AGENT: &str = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy";
const OTHER: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

const SPEC: &str = "{
    role: {description: servers of the web team, permissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/cap', tags: {team: web}},
    tags: {env: prod},
    sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab', sessionsOnly: true},
    sessionLogs: {s3: {bucket: my-logs, keyPrefix: sessions}, cloudWatch: {}},
    additionalPolicyArns: ['arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy']}";

/// The snapshot without the code that made it.
macro_rules! reads {
    ($report:expr) => {
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!($report);
        })
    };
}

type Row = (&'static str, fn(&mut Observed));

/// One row after the other, from the converged state.
fn report(spec: &str, rows: &[Row]) -> String {
    let desired = wanted(spec);
    let (state, recorded) = converged(&desired);
    let mut text = String::new();
    for (name, change) in rows {
        let mut changed = state.clone();
        change(&mut changed);
        assert_ne!(changed, state, "{name}: the change changes nothing");
        let found = planned(&desired, &changed, &recorded);
        assert_eq!(
            found.plan.is_empty(),
            found.drift.is_empty(),
            "{name}: no step without a sentence, no sentence without a step"
        );
        writeln!(text, "# {name}").unwrap();
        for (difference, sentence) in found.drift.iter().zip(sentences(&found)) {
            let importance = match difference.importance {
                Importance::Excess(_) => "excess",
                Importance::Missing => "missing",
                Importance::Other => "other",
            };
            writeln!(text, "[{importance}] {sentence}").unwrap();
        }
        for arn in &found.unlisted {
            writeln!(text, "unlisted: {arn}").unwrap();
        }
        for (index, stage) in steps(&desired, &found.plan).iter().enumerate() {
            for step in stage {
                writeln!(text, "  {}. {step}", index + 1).unwrap();
            }
        }
        writeln!(text).unwrap();
        let mut iam = Iam::new(&desired, changed);
        iam.simulate(&found.plan).unwrap();
        let left = planned(&desired, &iam.state, &recorded);
        assert!(left.plan.is_empty(), "{name}: {left:?}");
    }
    text
}

fn role(s: &mut Observed) -> &mut ObservedRole {
    s.role.as_mut().unwrap()
}

fn policy(s: &mut Observed) -> &mut ObservedPolicy {
    s.policy.as_mut().unwrap()
}

fn profile(s: &mut Observed) -> &mut ObservedInstanceProfile {
    s.instance_profile.as_mut().unwrap()
}

fn trust(s: &mut Observed, change: impl FnOnce(&mut serde_json::Value)) {
    edit(&mut role(s).trust, |d| change(&mut d["Statement"][0]));
}

fn statements(s: &mut Observed, change: impl FnOnce(&mut Vec<serde_json::Value>)) {
    edit(&mut policy(s).document, |d| {
        change(d["Statement"].as_array_mut().unwrap());
    });
}

#[test]
fn the_role() {
    reads!(report(
        SPEC,
        &[
            ("the role is gone", |s| {
                s.role = None;
                profile(s).roles.clear();
            }),
            ("trust: another service", |s| trust(s, |t| t["Principal"]
                ["Service"] =
                "lambda.amazonaws.com".into())),
            ("trust: another service besides", |s| trust(s, |t| {
                t["Principal"]["Service"] =
                    serde_json::json!(["ec2.amazonaws.com", "lambda.amazonaws.com"]);
            })),
            ("trust: another account besides", |s| edit(
                &mut role(s).trust,
                |d| {
                    let other = serde_json::json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999900001111:root"}, "Action": "sts:AssumeRole"});
                    d["Statement"].as_array_mut().unwrap().push(other);
                }
            )),
            ("trust: denied", |s| trust(s, |t| t["Effect"] =
                "Deny".into())),
            ("trust: a condition", |s| trust(
                s,
                |t| t["Condition"] = serde_json::json!({"Bool": {"aws:SecureTransport": true}})
            )),
            ("trust: nothing", |s| role(s).trust =
                r#"{"Version":"2012-10-17","Statement":[]}"#.into()),
            ("trust: an older version", |s| edit(
                &mut role(s).trust,
                |d| d["Version"] = "2008-10-17".into()
            )),
            ("trust: not a document", |s| role(s).trust = String::new()),
            ("description", |s| role(s).description =
                "something else".into()),
            ("description: gone", |s| role(s).description = String::new()),
            ("description: long", |s| role(s).description =
                "long ".repeat(100)),
            ("session duration", |s| role(s).max_session_duration = 43200),
            ("description and session duration", |s| {
                role(s).description = String::new();
                role(s).max_session_duration = 43200;
            }),
            ("boundary: another", |s| role(s).boundary =
                Some("arn:aws:iam::111122223333:policy/wide".into())),
            ("boundary: gone", |s| role(s).boundary = None),
            ("tag: another value", |s| {
                role(s).tags.insert("env".into(), "test".into());
            }),
            ("tag: gone", |s| {
                role(s).tags.remove("team");
            }),
            ("tags: both", |s| {
                role(s).tags.remove("team");
                role(s).tags.insert("env".into(), String::new());
            }),
            ("tags: the uid", |s| {
                role(s).tags.remove(UID);
            }),
        ]
    ));
}

#[test]
fn policies_on_the_role() {
    let rows: &[Row] = &[
        ("the own policy is detached", |s| {
            role(s).attached.retain(|arn| arn == AGENT);
        }),
        ("a listed policy is detached", |s| {
            role(s).attached.remove(AGENT);
        }),
        ("an unlisted one is attached", |s| {
            role(s).attached.insert(OTHER.into());
        }),
        ("an unlisted inline one is there", |s| {
            role(s).inline.insert("extra".into(), None);
        }),
        ("all of that", |s| {
            role(s).attached = [OTHER.to_owned()].into();
            role(s).inline.insert("extra".into(), None);
        }),
    ];
    let remove = SPEC.replacen('{', "{unlistedPolicyAction: Remove,", 1);
    reads!(format!(
        "Report\n======\n{}Remove\n======\n{}",
        report(SPEC, &rows[..3]) + &report(SPEC, &rows[3..]),
        report(&remove, rows)
    ));
}

#[test]
fn the_managed_policy() {
    reads!(report(
        SPEC,
        &[
            ("the policy is gone", |s| {
                s.policy = None;
                role(s).attached.retain(|arn| arn == AGENT);
            }),
            ("an action is gone", |s| statements(s, |d| {
                d[0]["Action"].as_array_mut().unwrap().remove(0);
            })),
            ("two actions are gone", |s| statements(s, |d| {
                d[0]["Action"].as_array_mut().unwrap().drain(..2);
            })),
            ("an action besides", |s| statements(s, |d| d[2]["Action"]
                .as_array_mut()
                .unwrap()
                .push("s3:GetObject".into()))),
            ("other actions", |s| statements(s, |d| d[1]["Action"] =
                serde_json::json!([
                    "logs:CreateLogStream",
                    "logs:DeleteLogGroup"
                ]))),
            ("another resource", |s| statements(
                s,
                |d| d[2]["Resource"] = "arn:aws:s3:::other/*".into()
            )),
            ("another resource besides", |s| statements(s, |d| {
                let both = serde_json::json!(["arn:aws:s3:::other/*", d[2]["Resource"]]);
                d[2]["Resource"] = both;
            })),
            ("any resource", |s| statements(s, |d| d[2]["Resource"] =
                "*".into())),
            ("a statement is gone", |s| statements(s, |d| {
                d.remove(2);
            })),
            ("a statement besides", |s| statements(s, |d| d.push(
                serde_json::json!({"Effect": "Allow", "Action": "*", "Resource": "*"})
            ))),
            ("all but some", |s| statements(s, |d| {
                d.push(serde_json::json!({"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret"}));
            })),
            ("a statement denies", |s| statements(
                s,
                |d| d[2]["Effect"] = "Deny".into()
            )),
            ("a denial besides", |s| statements(s, |d| d.push(
                serde_json::json!({"Effect": "Deny", "Action": "ssm:*", "Resource": "*"})
            ))),
            ("a condition is gone", |s| statements(s, |d| {
                d[4].as_object_mut().unwrap().remove("Condition");
            })),
            ("a condition is another", |s| statements(s, |d| {
                d[4]["Condition"]["StringLike"]["kms:EncryptionContext:aws:ssm:SessionId"] =
                    "s-*".into();
            })),
            ("a condition besides", |s| statements(
                s,
                |d| d[1]["Condition"] =
                    serde_json::json!({"StringEquals": {"aws:RequestedRegion": "eu-central-1"}})
            )),
            ("nothing is left", |s| statements(s, Vec::clear)),
            ("many things at once", |s| statements(s, |d| {
                d[0]["Action"].as_array_mut().unwrap().clear();
                d[1]["Action"].as_array_mut().unwrap().clear();
                d.remove(3);
            })),
            ("not a document", |s| policy(s).document = "%7B".into()),
            ("five versions", |s| {
                statements(s, |d| {
                    d.remove(5);
                });
                policy(s).versions = ["v8", "v9", "v10", "v11", "v12"].map(str::to_owned).into();
                policy(s).default_version = "v12".into();
            }),
            ("five versions, and narrowing", |s| {
                statements(s, |d| {
                    d.push(serde_json::json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
                });
                policy(s).versions = ["v1", "v2", "v3", "v4", "v5"].map(str::to_owned).into();
                policy(s).default_version = "v5".into();
            }),
            ("tag: another value", |s| {
                policy(s).tags.insert("env".into(), "test".into());
            }),
            ("tag: gone", |s| {
                policy(s).tags.remove("env");
            }),
        ]
    ));
}

#[test]
fn the_inline_policy() {
    let spec = "{policy: {type: Inline, name: agent}, sessionLogs: {s3: {bucket: my-logs}}}";
    reads!(report(
        spec,
        &[
            ("it is gone", |s| role(s).inline.clear()),
            ("it differs", |s| {
                let document = role(s).inline.get_mut("agent").unwrap().as_mut().unwrap();
                edit(document, |d| {
                    d["Statement"][1]["Resource"] = "arn:aws:s3:::other/*".into();
                });
            }),
            ("it went between two readings", |s| {
                role(s).inline.insert("agent".into(), None);
            }),
            ("the role is gone", |s| {
                s.role = None;
                profile(s).roles.clear();
            }),
        ]
    ));
}

#[test]
fn the_instance_profile() {
    reads!(report(
        SPEC,
        &[
            ("it is gone", |s| s.instance_profile = None),
            ("another role in it", |s| profile(s).roles =
                ["admin".to_owned()].into()),
            ("no role in it", |s| profile(s).roles.clear()),
            ("tag: another value", |s| {
                profile(s).tags.insert("env".into(), "test".into());
            }),
            ("tag: gone", |s| {
                profile(s).tags.remove("env");
            }),
            ("everything is gone", |s| *s = Observed::default()),
        ]
    ));
}

/// Where all that changes is what is allowed besides, the version that allowed less stays: going
/// back to it takes nothing from anyone.
#[test]
fn only_a_narrowing_update_deletes_the_version_that_it_replaces() {
    let (state, recorded) = converged(&wanted("{}"));
    let wider = wanted(
        "{sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'}}",
    );
    let found = planned(&wider, &state, &recorded);
    assert_eq!(
        steps(&wider, &found.plan),
        [
            [
                "CreatePolicyVersion arn:aws:iam::111122223333:policy/session-manager/team.web POLICY"
            ]
        ]
    );
    let mut iam = Iam::new(&wider, state);
    iam.simulate(&found.plan).unwrap();
    let narrower = wanted("{}");
    let found = planned(&narrower, &iam.state, &recorded);
    assert_eq!(
        steps(&narrower, &found.plan),
        [
            [
                "CreatePolicyVersion arn:aws:iam::111122223333:policy/session-manager/team.web POLICY"
            ],
            ["DeletePolicyVersion arn:aws:iam::111122223333:policy/session-manager/team.web v2"],
        ]
    );
}

#[test]
fn a_further_policy_that_left_the_spec_is_detached_and_others_are_not() {
    let (mut state, recorded) = converged(&wanted(SPEC));
    role(&mut state).attached.insert(OTHER.into());
    let desired = wanted("{}");
    let found = planned(&desired, &state, &recorded);
    let detached: Vec<&Step> = found
        .plan
        .steps()
        .filter(|s| matches!(s, Step::Role(RoleStep::DetachPolicy { .. })))
        .collect();
    assert_eq!(
        detached,
        [&Step::Role(RoleStep::DetachPolicy {
            role: "team.web".into(),
            policy_arn: AGENT.into()
        })]
    );
    assert_eq!(found.unlisted, [OTHER]);
}

/// A role takes ten policies unless the quota is raised: where all ten are used, the one that goes
/// makes room for the one that comes. Otherwise the new one is there first.
#[test]
fn policies_can_be_exchanged_where_the_role_is_full() {
    let spec = |range: std::ops::Range<u8>| {
        let arns: Vec<String> = range
            .map(|n| format!("'arn:aws:iam::aws:policy/P{n}'"))
            .collect();
        format!("{{additionalPolicyArns: [{}]}}", arns.join(", "))
    };
    for (count, first) in [(8, "AttachRolePolicy"), (9, "DetachRolePolicy")] {
        let (state, recorded) = converged(&wanted(&spec(0..count)));
        let desired = wanted(&spec(1..count + 1));
        let found = planned(&desired, &state, &recorded);
        assert_eq!(found.plan.stages.len(), 2);
        assert_eq!(found.plan.stages[0][0].action(), first);
        let mut iam = Iam::new(&desired, state);
        iam.simulate(&found.plan).unwrap();
        assert_eq!(planned(&desired, &iam.state, &recorded), Planned::default());
    }
}
