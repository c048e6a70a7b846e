//! What can drift, in every way it can. Values only; no IO.

use serde_json::{Value, json};

use super::Row;
use crate::support::hand::Change::{
    Attach, Boundary, DeleteInline, DeletePolicy, DeleteProfile, DeleteRole, Description, Detach,
    Document, Empty, NoBoundary, OtherRole, OwnInline, PutInline, Session, Tag, Trust, Untag,
    Version,
};
use crate::support::hand::OWN;
use crate::support::hand::On::{Policy, Profile, Role};

const AGENT: &str = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy";
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const UID: &str = "sessionmanager.dev/uid";
const WIDE: &str = "arn:aws:iam::ACCOUNT:policy/wide";

/// The role and its tags.
const ROLE: &str =
    "{role: {description: servers of the web team, tags: {team: web}}, tags: {env: prod}}";
/// A policy of six statements.
const LOGS: &str = "{
    sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab', sessionsOnly: true},
    sessionLogs: {s3: {bucket: my-logs, keyPrefix: sessions}, cloudWatch: {}}}";
const INLINE: &str = "{policy: {type: Inline}, sessionLogs: {s3: {bucket: my-logs}}}";
const LISTED: &str =
    "{additionalPolicyArns: ['arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy']}";
const REMOVE: &str = "{unlistedPolicyAction: Remove, additionalPolicyArns: ['arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy']}";
const HYBRID: &str = "{principal: HybridActivation, hybrid: {regions: [eu-central-1]}}";
const CAPPED: &str = "{role: {permissionsBoundaryArn: 'arn:aws:iam::ACCOUNT:policy/cap'}}";
/// A bucket of someone else's account: re-creation makes the principals of its policy dead ids.
const COUNTERPART: &str =
    "{sessionLogs: {s3: {bucket: their-logs, bucketOwnerAccountId: '999900001111'}}}";

fn statement(document: &mut Value, index: usize) -> &mut Value {
    &mut document["Statement"][index]
}

fn statements(document: &mut Value) -> &mut Vec<Value> {
    document["Statement"].as_array_mut().unwrap()
}

fn actions(document: &mut Value, index: usize) -> &mut Vec<Value> {
    statement(document, index)["Action"].as_array_mut().unwrap()
}

/// Rows for a controller that lets AWS's own policies be added.
pub const ROWS: &[Row] = &[
    // The trust policy.
    Row::new(
        "trust: another service",
        ROLE,
        &[Trust(|d| {
            statement(d, 0)["Principal"]["Service"] = "lambda.amazonaws.com".into();
        })],
    ),
    Row::new(
        "trust: another service besides",
        ROLE,
        &[Trust(|d| {
            statement(d, 0)["Principal"]["Service"] =
                json!(["ec2.amazonaws.com", "lambda.amazonaws.com"]);
        })],
    ),
    Row::new(
        "trust: another account besides, in a statement of its own",
        ROLE,
        &[Trust(|d| {
            let other = json!({"Effect": "Allow", "Principal": {"AWS": "999900001111"}, "Action": "sts:AssumeRole"});
            statements(d).push(other);
        })],
    ),
    Row::new(
        "trust: another action",
        ROLE,
        &[Trust(|d| {
            statement(d, 0)["Action"] = "sts:TagSession".into();
        })],
    ),
    Row::new(
        "trust: denied",
        ROLE,
        &[Trust(|d| statement(d, 0)["Effect"] = "Deny".into())],
    ),
    Row::new(
        "trust: a condition besides",
        ROLE,
        &[Trust(|d| {
            statement(d, 0)["Condition"] =
                json!({"StringEquals": {"aws:SourceAccount": "999900001111"}});
        })],
    ),
    Row::new(
        "trust: a condition is another",
        HYBRID,
        &[Trust(|d| {
            statement(d, 0)["Condition"]["StringEquals"]["aws:SourceAccount"] =
                "999900001111".into();
        })],
    ),
    Row::new(
        "trust: a condition is gone",
        HYBRID,
        &[Trust(|d| {
            statement(d, 0)["Condition"]
                .as_object_mut()
                .unwrap()
                .remove("ArnEquals");
        })],
    ),
    Row::new(
        "trust: an older version",
        ROLE,
        &[Trust(|d| d["Version"] = "2008-10-17".into())],
    ),
    // What else GetRole shows.
    Row::new(
        "description: another",
        ROLE,
        &[Description("something else")],
    ),
    Row::new("description: gone", ROLE, &[Description("")]),
    Row::new("maximum session duration", ROLE, &[Session(43200)]),
    Row::new(
        "description and maximum session duration",
        ROLE,
        &[Description("something else"), Session(7200)],
    ),
    // Statements.
    Row::new(
        "policy: an action is gone",
        LOGS,
        &[Document(|d| _ = actions(d, 0).remove(0))],
    ),
    Row::new(
        "policy: an action besides",
        LOGS,
        &[Document(|d| actions(d, 0).push("ssm:GetParameter".into()))],
    ),
    Row::new(
        "policy: an action is another",
        LOGS,
        &[Document(|d| {
            statement(d, 2)["Action"] = json!(["s3:GetObject"]);
        })],
    ),
    Row::new(
        "policy: actions of all kinds",
        LOGS,
        &[Document(|d| {
            statement(d, 1)["Action"] = json!(["logs:CreateLogStream", "logs:DeleteLogGroup"]);
        })],
    ),
    Row::new(
        "policy: another resource",
        LOGS,
        &[Document(|d| {
            statement(d, 2)["Resource"] = "arn:aws:s3:::other/*".into();
        })],
    ),
    Row::new(
        "policy: another resource besides",
        LOGS,
        &[Document(|d| {
            statement(d, 2)["Resource"] =
                json!([statement(d, 2)["Resource"], "arn:aws:s3:::other/*"]);
        })],
    ),
    Row::new(
        "policy: any resource",
        LOGS,
        &[Document(|d| statement(d, 2)["Resource"] = "*".into())],
    ),
    Row::new(
        "policy: a statement is gone",
        LOGS,
        &[Document(|d| _ = statements(d).remove(2))],
    ),
    Row::new(
        "policy: a statement besides",
        LOGS,
        &[Document(|d| {
            statements(d).push(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
        })],
    ),
    Row::new(
        "policy: any action on S3 instead of what is asked for",
        LOGS,
        &[Document(|d| {
            d["Statement"] = json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]);
        })],
    ),
    Row::new(
        "trust, policy and settings at once: what is granted beyond the spec comes first",
        LOGS,
        &[
            Description("something else"),
            Session(7200),
            Document(|d| {
                statements(d).remove(2);
                statements(d).push(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}));
                statements(d).push(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
                statement(d, 1)["Resource"] = "arn:aws:logs:*:*:log-group:g:*".into();
            }),
            Trust(|d| {
                let other = json!({"Effect": "Allow", "Principal": {"AWS": "999900001111"}, "Action": "sts:AssumeRole"});
                statements(d).push(other);
            }),
        ],
    ),
    Row::new(
        "policy: a denial besides",
        LOGS,
        &[Document(|d| {
            statements(d).push(json!({"Effect": "Deny", "Action": "ssm:*", "Resource": "*"}));
        })],
    ),
    Row::new(
        "policy: a statement denies",
        LOGS,
        &[Document(|d| statement(d, 2)["Effect"] = "Deny".into())],
    ),
    Row::new(
        "policy: a condition is gone",
        LOGS,
        &[Document(|d| {
            statement(d, 4).as_object_mut().unwrap().remove("Condition");
        })],
    ),
    Row::new(
        "policy: a condition is another",
        LOGS,
        &[Document(|d| {
            statement(d, 4)["Condition"]["StringLike"]["kms:EncryptionContext:aws:ssm:SessionId"] =
                "s-*".into();
        })],
    ),
    Row::new(
        "policy: a condition besides",
        LOGS,
        &[Document(|d| {
            statement(d, 1)["Condition"] =
                json!({"StringEquals": {"aws:RequestedRegion": "eu-central-1"}});
        })],
    ),
    Row::new(
        "policy: an earlier version is the default again",
        LOGS,
        &[Version("v1")],
    )
    .after("{}"),
    Row::new(
        "policy: five versions, the last one someone else's",
        ROLE,
        &[
            Document(|d| {
                statements(d)
                    .push(json!({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}));
            }),
            Document(|d| {
                statements(d).push(json!({"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}));
            }),
            Document(|d| {
                statements(d).push(json!({"Effect": "Allow", "Action": "iam:*", "Resource": "*"}));
            }),
            Document(|d| {
                statements(d).push(json!({"Effect": "Allow", "Action": "sts:*", "Resource": "*"}));
            }),
        ],
    ),
    Row::new("policy: missing", COUNTERPART, &[DeletePolicy]),
    Row::new(
        "policy type: an inline policy of its name beside the managed one",
        ROLE,
        &[OwnInline(|_| {})],
    ),
    Row::new(
        "policy type: the managed policy became an inline one",
        ROLE,
        &[OwnInline(|_| {}), DeletePolicy],
    ),
    Row::new(
        "inline policy: another resource",
        INLINE,
        &[OwnInline(|d| {
            statement(d, 1)["Resource"] = "arn:aws:s3:::other/*".into();
        })],
    ),
    Row::new("inline policy: missing", INLINE, &[DeleteInline(OWN)]),
    // The boundary.
    Row::new(
        "boundary: of someone else, where spec has none",
        ROLE,
        &[Boundary(WIDE)],
    )
    .stays(),
    Row::new("boundary: another", CAPPED, &[Boundary(WIDE)]),
    Row::new("boundary: gone", CAPPED, &[NoBoundary]),
    Row::new("boundary: gone with the role", CAPPED, &[DeleteRole]),
    // Tags.
    Row::new(
        "tag of the role: another value",
        ROLE,
        &[Tag(Role, "env", "test")],
    ),
    Row::new(
        "tag of the role: an empty value",
        ROLE,
        &[Tag(Role, "env", "")],
    ),
    Row::new("tag of the role: gone", ROLE, &[Untag(Role, "team")]),
    Row::new(
        "tag of the role: the uid is another",
        ROLE,
        &[Tag(Role, UID, "0")],
    ),
    Row::new(
        "tag of the role: the uid is gone",
        ROLE,
        &[Untag(Role, UID)],
    ),
    Row::new(
        "tag of the role: consent to adoption",
        ROLE,
        &[Tag(
            Role,
            "sessionmanager.dev/adoptable-by",
            "test/team/web",
        )],
    ),
    Row::new(
        "tag of the policy: another value",
        ROLE,
        &[Tag(Policy, "env", "test")],
    ),
    Row::new("tag of the policy: gone", ROLE, &[Untag(Policy, "env")]),
    Row::new(
        "tag of the policy: the uid is gone",
        ROLE,
        &[Untag(Policy, UID)],
    ),
    Row::new(
        "tag of the instance profile: another value",
        ROLE,
        &[Tag(Profile, "env", "test")],
    ),
    Row::new(
        "tag of the instance profile: gone",
        ROLE,
        &[Untag(Profile, "env")],
    ),
    Row::new(
        "tag of the instance profile: the uid is gone",
        ROLE,
        &[Untag(Profile, UID)],
    ),
    Row::new(
        "tags of all three",
        ROLE,
        &[
            Tag(Role, "env", "test"),
            Untag(Policy, "env"),
            Tag(Profile, "env", "test"),
        ],
    ),
    // What is on the role.
    Row::new(
        "attached: the own policy is detached",
        LISTED,
        &[Detach(OWN)],
    ),
    Row::new(
        "attached: a listed policy is detached",
        LISTED,
        &[Detach(AGENT)],
    ),
    Row::new(
        "attached: an unlisted policy, reported",
        LISTED,
        &[Attach(ADMIN)],
    )
    .stays(),
    Row::new(
        "attached: an unlisted policy, removed",
        REMOVE,
        &[Attach(ADMIN)],
    ),
    Row::new(
        "attached: an unlisted policy for a listed one, removed",
        REMOVE,
        &[Detach(AGENT), Attach(ADMIN)],
    ),
    Row::new(
        "inline: an unlisted policy, reported",
        LISTED,
        &[PutInline("extra")],
    )
    .stays(),
    Row::new(
        "inline: an unlisted policy, removed",
        REMOVE,
        &[PutInline("extra")],
    ),
    Row::new(
        "unlisted policies of both kinds, reported, beside a repair",
        LISTED,
        &[Attach(ADMIN), PutInline("extra"), Session(7200)],
    )
    .stays(),
    // The instance profile.
    Row::new("instance profile: missing", ROLE, &[DeleteProfile]),
    Row::new("instance profile: empty", ROLE, &[Empty]),
    Row::new(
        "instance profile: another role in it",
        ROLE,
        &[OtherRole("someone-elses")],
    ),
    // Whole objects.
    Row::new("role: missing", COUNTERPART, &[DeleteRole]),
    Row::new(
        "role: missing, with an inline policy",
        INLINE,
        &[DeleteRole],
    ),
    Row::new(
        "role: missing, of a hybrid activation",
        HYBRID,
        &[DeleteRole],
    ),
    Row::new(
        "everything is missing",
        LISTED,
        &[DeletePolicy, DeleteProfile, DeleteRole],
    ),
];

/// Rows for a controller whose operator wants the boundary `cap` on every role.
pub const BOUNDARY_OF_THE_OPERATOR: &[Row] = &[
    Row::new("the operator's boundary: another", "{}", &[Boundary(WIDE)]),
    Row::new("the operator's boundary: gone", "{}", &[NoBoundary]),
];
