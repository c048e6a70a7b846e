//! What the account should hold for one object, read off spec by the tests alone: a spec and what IAM
//! held before in, comparable values out. No IO.

use std::collections::{BTreeMap, BTreeSet};

use iam_emulator::{PolicySnapshot, Snapshot};
use serde_json::{Value, json};
use smr_api::UnlistedPolicyAction;

use super::meaning::meaning;
use crate::asked::{ACCOUNT, Asked, CLUSTER, CLUSTER_UID, PATH};

type Tags = BTreeMap<String, String>;
type Meaning = BTreeSet<String>;

/// The three objects, in what the controller answers for.
#[derive(Debug, PartialEq)]
pub struct Account {
    role: Role,
    policy: Option<Policy>,
    profile: Option<Profile>,
}

#[derive(Debug, PartialEq)]
struct Role {
    arn: String,
    trust: Meaning,
    description: String,
    max_session: i64,
    boundary: Option<String>,
    /// Keys in lower case: IAM tells those of roles apart without case.
    tags: Tags,
    attached: BTreeSet<String>,
    inline: BTreeMap<String, Meaning>,
}

#[derive(Debug, PartialEq)]
struct Policy {
    arn: String,
    document: Meaning,
    description: Option<String>,
    tags: Tags,
}

#[derive(Debug, PartialEq)]
struct Profile {
    arn: String,
    role: Option<String>,
    tags: Tags,
}

impl Account {
    /// The same, but for the cluster's UID on what was made before there was such a tag: it comes without a
    /// word, so that its absence is no difference.
    #[must_use]
    pub fn stamped(mut self) -> Self {
        let policy = self.policy.as_mut().map(|policy| &mut policy.tags);
        let profile = self.profile.as_mut().map(|profile| &mut profile.tags);
        let all = [Some(&mut self.role.tags), policy, profile];
        for tags in all.into_iter().flatten() {
            if tags
                .get("sessionmanager.dev/cluster")
                .is_some_and(|name| name == CLUSTER)
            {
                let uid = "sessionmanager.dev/cluster-uid".to_owned();
                tags.entry(uid).or_insert_with(|| CLUSTER_UID.to_owned());
            }
        }
        self
    }
}

/// What the account holds.
/// `None` where there is no role.
pub fn read(asked: &Asked, snapshot: &Snapshot) -> Option<Account> {
    let [role, policy, profile] = asked.names();
    let role = snapshot.roles.get(&role)?;
    let lower = |tags: &Tags| -> Tags {
        let pairs = tags.iter();
        pairs.map(|(k, v)| (k.to_lowercase(), v.clone())).collect()
    };
    let inline = role.inline.iter();
    Some(Account {
        role: Role {
            arn: role.arn.clone(),
            trust: meaning(&role.trust),
            description: role.description.clone().unwrap_or_default(),
            max_session: role.max_session,
            boundary: role.boundary.clone(),
            tags: lower(&role.tags),
            attached: role.attached.clone(),
            inline: inline
                .map(|(name, text)| (name.clone(), meaning(text)))
                .collect(),
        },
        policy: snapshot.policies.get(&policy).map(policy_of),
        profile: snapshot
            .instance_profiles
            .get(&profile)
            .map(|profile| Profile {
                arn: profile.arn.clone(),
                role: profile.role.clone(),
                tags: profile.tags.clone(),
            }),
    })
}

fn policy_of(policy: &PolicySnapshot) -> Policy {
    Policy {
        arn: policy.arn.clone(),
        document: meaning(&policy.document),
        description: policy.description.clone(),
        tags: policy.tags.clone(),
    }
}

/// What it should hold: what spec says, and of what was there `before` all that is none of ours.
pub fn wanted(asked: &Asked, before: &Snapshot) -> Account {
    let spec = &asked.spec;
    let [role, policy, profile] = asked.names();
    let arn = |kind: &str, name: &str| {
        format!("arn:{}:iam::{ACCOUNT}:{kind}{PATH}{name}", asked.partition)
    };
    let own = arn("policy", &policy);
    let role_before = before.roles.get(&role);
    let asked_of_role = spec.role.clone().unwrap_or_default();
    let reports = spec.unlisted_policy_action != Some(UnlistedPolicyAction::Remove);
    let theirs = role_before.filter(|_| reports);
    let mut attached: BTreeSet<String> = theirs.map(|r| r.attached.clone()).unwrap_or_default();
    attached.remove(&own);
    attached.extend(spec.additional_policy_arns.iter().flatten().cloned());
    let mut inline: BTreeMap<String, Meaning> = theirs
        .into_iter()
        .flat_map(|r| &r.inline)
        .map(|(name, text)| (name.clone(), meaning(text)))
        .collect();
    inline.remove(&policy);
    let document =
        meaning(&json!({"Version": "2012-10-17", "Statement": statements(asked)}).to_string());
    if asked.inline() {
        inline.insert(policy.clone(), document.clone());
    } else {
        attached.insert(own.clone());
    }
    let policy_before = before.policies.get(&policy);
    let extra = |tags: Option<&smr_api::Tags>| tags.cloned();
    Account {
        role: Role {
            arn: arn("role", &role),
            trust: meaning(&trust(asked).to_string()),
            description: asked_of_role.description.clone().unwrap_or_else(|| {
                format!(
                    "Session Manager role of SessionManagerRole {} in cluster {CLUSTER}",
                    asked.subject.owner()
                )
            }),
            max_session: asked_of_role
                .max_session_duration_seconds
                .unwrap_or(3600)
                .into(),
            boundary: (asked_of_role.permissions_boundary_arn.clone())
                .or_else(|| role_before.and_then(|r| r.boundary.clone())),
            tags: tags(
                asked,
                extra(asked_of_role.tags.as_ref()),
                role_before.map(|r| &r.tags),
                true,
            ),
            attached,
            inline,
        },
        policy: if asked.inline() {
            // One that nobody attached gives nobody anything: it stays.
            let attached = role_before.is_some_and(|r| r.attached.contains(&own));
            policy_before.filter(|_| !attached).map(policy_of)
        } else {
            Some(Policy {
                arn: own,
                document,
                // IAM can't change it: what stands there stays.
                description: match policy_before {
                    Some(found) => found.description.clone(),
                    None => Some(format!(
                        "Session Manager permissions of SessionManagerRole {} in cluster {CLUSTER}",
                        asked.subject.owner()
                    )),
                },
                tags: tags(
                    asked,
                    extra(spec.policy.as_ref().and_then(|p| p.tags.as_ref())),
                    policy_before.map(|p| &p.tags),
                    false,
                ),
            })
        },
        profile: (!asked.hybrid()).then(|| Profile {
            arn: arn("instance-profile", &profile),
            role: Some(role),
            tags: tags(
                asked,
                extra(spec.instance_profile.as_ref().and_then(|p| p.tags.as_ref())),
                before.instance_profiles.get(&profile).map(|p| &p.tags),
                false,
            ),
        }),
    }
}

/// What others added, then shared tags, the object's own, the operator's, and those of ownership.
fn tags(asked: &Asked, own: Option<Tags>, before: Option<&Tags>, any_case: bool) -> Tags {
    let fold = |key: &String| {
        if any_case {
            key.to_lowercase()
        } else {
            key.clone()
        }
    };
    let before = before.into_iter().flatten().map(|(k, v)| (k, v.clone()));
    let operators = ("cost-center".to_owned(), "7".to_owned());
    let ours = std::iter::once(operators).chain(asked.subject.stamps());
    let mut all: Tags = before.map(|(k, v)| (fold(k), v)).collect();
    let shared = asked.spec.tags.clone().unwrap_or_default();
    for (key, value) in shared
        .into_iter()
        .chain(own.unwrap_or_default())
        .chain(ours)
    {
        all.insert(fold(&key), value);
    }
    all
}

fn trust(asked: &Asked) -> Value {
    let p = asked.partition;
    let statement = if asked.hybrid() {
        let hybrid = asked.spec.hybrid.as_ref();
        let regions = hybrid.and_then(|h| h.regions.clone());
        let regions = regions.unwrap_or_else(|| vec!["*".to_owned()]);
        let sources: Vec<String> = regions
            .iter()
            .map(|region| format!("arn:{p}:ssm:{region}:{ACCOUNT}:*"))
            .collect();
        json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ssm.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnEquals": {"aws:SourceArn": sources}}})
    } else {
        let ec2 = match p {
            "aws-cn" => "ec2.amazonaws.com.cn",
            _ => "ec2.amazonaws.com",
        };
        json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ec2}})
    };
    json!({"Version": "2012-10-17", "Statement": statement})
}

/// The statements of AWS's page "Create a custom IAM role for Session Manager" that spec asks
/// for, each action on its own.
fn statements(asked: &Asked) -> Vec<Value> {
    let p = asked.partition;
    let allow = |actions: &[&str], resource: &str, condition: Option<Value>| {
        let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": resource});
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    };
    let mut all = vec![allow(
        &[
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ],
        "*",
        None,
    )];
    if let Some(encryption) = &asked.spec.session_encryption {
        let only = encryption.sessions_only == Some(true);
        let context = json!({"StringLike": {"kms:EncryptionContext:aws:ssm:SessionId": "*"}});
        all.push(allow(
            &["kms:Decrypt"],
            &encryption.kms_key_arn,
            only.then_some(context),
        ));
    }
    let logs = asked.spec.session_logs.clone().unwrap_or_default();
    if let Some(cloud_watch) = &logs.cloud_watch {
        let on = match &cloud_watch.log_group_name {
            Some(group) => format!("arn:{p}:logs:*:{ACCOUNT}:log-group:{group}:*"),
            None => "*".to_owned(),
        };
        all.push(allow(&["logs:DescribeLogGroups"], "*", None));
        all.push(allow(
            &[
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                "logs:DescribeLogStreams",
            ],
            &on,
            None,
        ));
    }
    if let Some(s3) = &logs.s3 {
        let prefix = s3
            .key_prefix
            .as_deref()
            .unwrap_or_default()
            .trim_matches('/');
        let on = match prefix {
            "" => format!("arn:{p}:s3:::{}/*", s3.bucket),
            _ => format!("arn:{p}:s3:::{}/{prefix}/*", s3.bucket),
        };
        all.push(allow(&["s3:PutObject"], &on, None));
        if s3
            .bucket_owner_account_id
            .as_ref()
            .is_some_and(|id| id != ACCOUNT)
        {
            all.push(allow(&["s3:PutObjectAcl"], &on, None));
        }
        all.push(allow(&["s3:GetEncryptionConfiguration"], "*", None));
        match s3.encryption {
            None | Some(smr_api::S3Encryption::Unspecified) => {
                all.push(allow(&["kms:GenerateDataKey"], "*", None));
            }
            Some(smr_api::S3Encryption::S3Managed) => {}
            Some(smr_api::S3Encryption::KMS) => {
                let suffix = match p {
                    "aws-cn" => "amazonaws.com.cn",
                    "aws-eusc" => "amazonaws.eu",
                    _ => "amazonaws.com",
                };
                let via = json!({"StringLike": {"kms:ViaService": format!("s3.*.{suffix}")}});
                let key = s3.kms_key_arn.as_deref().unwrap_or_default();
                all.push(allow(
                    &["kms:GenerateDataKey", "kms:Decrypt"],
                    key,
                    Some(via),
                ));
            }
        }
    }
    all
}
