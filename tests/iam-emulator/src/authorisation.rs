//! What AWS would authorise a call on: a call and the store that its conditions see enter; the
//! resource, its tags and the condition keys leave. No IO.
//!
//! Which keys AWS sends with which action, and on which resource, is in its service authorization
//! reference.

use crate::actions::Context;
use crate::evaluate::{self, Request};
use crate::store::{Account, Tags};

/// What one call is authorised on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorisation {
    /// Such as `CreateRole`.
    pub action: String,
    /// The ARN of what the action is about; `*` where it is about no single object.
    pub resource: String,
    /// The tags that it carries; none where it is yet to be created.
    pub resource_tags: Tags,
    /// The tags in the request.
    pub request_tags: Tags,
    /// The keys of tags that the request takes away.
    pub untagged_keys: Vec<String>,
    /// The boundary in the request, else that of the role.
    pub boundary: Option<String>,
    /// The policy in the request.
    pub policy_arn: Option<String>,
    /// The ARN of the role in the request, also where the action is about something else.
    pub role: Option<String>,
    /// The tags that the role carries.
    role_tags: Tags,
}

/// A condition key that AWS sends with some actions.
#[derive(Clone, Copy)]
enum Key {
    /// `aws:RequestTag/…`
    RequestTag,
    /// `aws:TagKeys`
    TagKeys,
    /// `iam:PermissionsBoundary`
    Boundary,
    /// `iam:PolicyARN`
    PolicyArn,
}

impl Authorisation {
    /// What a call is authorised on.
    pub fn of(action: &str, cx: &Context<'_>, seen: &Account) -> Self {
        let param = |name: &str| cx.params.get(name);
        let arn = |kind: &str, name: &str| cx.arn(kind, cx.path(), name);
        // A creation is authorised on what is to be, also where something of that name exists.
        let creates = tagging_of(action).is_some();
        let named = param("RoleName").map(|name| (name, seen.role(name).filter(|_| !creates)));
        let role =
            named.map(|(name, held)| held.map_or_else(|| arn("role", name), |r| r.arn.clone()));
        let held = named.and_then(|(_, held)| held);
        let role_tags = held.map(|role| role.tags.clone()).unwrap_or_default();
        let (resource, tags) = if let Some(name) = param("InstanceProfileName") {
            let found = seen.profile(name).filter(|_| !creates);
            let resource = found.map_or_else(|| arn("instance-profile", name), |p| p.arn.clone());
            (resource, found.map(|profile| profile.tags.clone()))
        } else if let Some(resource) = &role {
            (resource.clone(), Some(role_tags.clone()))
        } else if let Some(resource) = param("PolicyArn") {
            let found = seen.customer_policy(resource);
            (resource.to_owned(), found.map(|policy| policy.tags.clone()))
        } else if let Some(name) = param("PolicyName") {
            (arn("policy", name), None)
        } else {
            ("*".to_owned(), None)
        };
        let boundary = param("PermissionsBoundary").map(str::to_owned);
        Self {
            action: action.to_owned(),
            resource,
            resource_tags: tags.unwrap_or_default(),
            request_tags: cx.params.tags(),
            untagged_keys: cx
                .params
                .list("TagKeys")
                .into_iter()
                .map(str::to_owned)
                .collect(),
            boundary: boundary.or_else(|| held.and_then(|role| role.boundary.clone())),
            policy_arn: param("PolicyArn").map(str::to_owned),
            role,
            role_tags,
        }
    }

    /// All that AWS judges, in order; each has to be allowed. The keys that tell about the caller
    /// are not in it.
    pub fn requests(&self, partition: &str) -> Vec<Request> {
        let mut requests = vec![self.request(&self.action, partition)];
        // Not in the service authorization reference, but so: tags at creation need the right to
        // tag as well.
        if let Some(tagging) = tagging_of(&self.action)
            && !self.request_tags.is_empty()
        {
            requests.push(self.request(tagging, partition));
        }
        if let ("AddRoleToInstanceProfile", Some(role)) = (self.action.as_str(), &self.role) {
            let mut context = common(partition);
            let service = match partition {
                "aws-cn" => "ec2.amazonaws.com.cn",
                _ => "ec2.amazonaws.com",
            };
            context.set("iam:PassedToService", [service]);
            resource_tags(&mut context, role, &self.role_tags);
            requests.push(Request {
                action: "iam:PassRole".to_owned(),
                resource: role.clone(),
                context,
            });
        }
        requests
    }

    fn request(&self, action: &str, partition: &str) -> Request {
        let mut context = common(partition);
        for key in keys_of(action) {
            match key {
                Key::RequestTag => {
                    for (key, value) in &self.request_tags {
                        context.set(&format!("aws:RequestTag/{key}"), [value]);
                    }
                }
                Key::TagKeys => {
                    let tagged = self.request_tags.iter().map(|(key, _)| key);
                    context.set("aws:TagKeys", tagged.chain(&self.untagged_keys));
                }
                Key::Boundary => context.set("iam:PermissionsBoundary", self.boundary.as_ref()),
                Key::PolicyArn => context.set("iam:PolicyARN", self.policy_arn.as_ref()),
            }
        }
        resource_tags(&mut context, &self.resource, &self.resource_tags);
        Request {
            action: format!("iam:{action}"),
            resource: self.resource.clone(),
            context,
        }
    }
}

/// The keys of an action besides those of the caller and of the resource's tags.
fn keys_of(action: &str) -> &'static [Key] {
    match action {
        "CreateRole" => &[Key::RequestTag, Key::TagKeys, Key::Boundary],
        "CreatePolicy"
        | "CreateInstanceProfile"
        | "TagRole"
        | "TagPolicy"
        | "TagInstanceProfile" => &[Key::RequestTag, Key::TagKeys],
        "UntagRole" | "UntagPolicy" | "UntagInstanceProfile" => &[Key::TagKeys],
        "DeleteRole"
        | "UpdateRole"
        | "UpdateRoleDescription"
        | "UpdateAssumeRolePolicy"
        | "DeleteRolePolicy"
        | "DeleteRolePermissionsBoundary"
        | "GetRole"
        | "PutRolePolicy"
        | "PutRolePermissionsBoundary" => &[Key::Boundary],
        "AttachRolePolicy" | "DetachRolePolicy" => &[Key::Boundary, Key::PolicyArn],
        _ => &[],
    }
}

/// The action that tags what this one creates.
fn tagging_of(action: &str) -> Option<&'static str> {
    match action {
        "CreateRole" => Some("TagRole"),
        "CreatePolicy" => Some("TagPolicy"),
        "CreateInstanceProfile" => Some("TagInstanceProfile"),
        _ => None,
    }
}

/// IAM is in one region of each partition.
fn common(partition: &str) -> evaluate::Context {
    let region = match partition {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-eusc" => "eusc-de-east-1",
        _ => "us-east-1",
    };
    let mut context = evaluate::Context::default();
    context.set("aws:RequestedRegion", [region]);
    context
}

/// IAM's own key is there for roles only, so a policy that relies on it elsewhere protects nothing.
fn resource_tags(context: &mut evaluate::Context, resource: &str, tags: &Tags) {
    let of_role = resource
        .splitn(6, ':')
        .nth(5)
        .is_some_and(|rest| rest.starts_with("role/"));
    for (key, value) in tags {
        context.set(&format!("aws:ResourceTag/{key}"), [value]);
        if of_role {
            context.set(&format!("iam:ResourceTag/{key}"), [value]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{Action, Ids};
    use crate::config::Quotas;
    use crate::wire::Params;

    const TAGS: &str = "&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=b";

    fn asked(account: &Account, partition: &str, call: &str) -> Vec<Request> {
        let params = Params::parse(call);
        let action = params.get("Action").unwrap();
        let (quotas, ids) = (Quotas::default(), Ids::default());
        let cx = context(partition, &params, &quotas, &ids);
        Authorisation::of(action, &cx, account).requests(partition)
    }

    fn context<'a>(
        partition: &'a str,
        params: &'a Params,
        quotas: &'a Quotas,
        ids: &'a Ids,
    ) -> Context<'a> {
        Context {
            params,
            account_id: "111122223333",
            partition,
            now: 0,
            quotas,
            page_size: 100,
            ids,
        }
    }

    /// An account with the role `/ours/r`, the policy `/ours/p` and the profile `/ours/i`, all tagged.
    fn account() -> Account {
        const BODY: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22";
        const TAG: &str = "&Path=/ours/&Tags.member.1.Key=held&Tags.member.1.Value=1";
        let trust = format!(
            "{BODY}Principal%22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D"
        );
        let policy =
            format!("{BODY}Action%22%3A%22s3%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D");
        let (quotas, ids) = (Quotas::default(), Ids::default());
        let mut account = Account::default();
        for (action, call) in [
            (
                "CreatePolicy",
                format!("PolicyName=p&PolicyDocument={policy}{TAG}"),
            ),
            (
                "CreateRole",
                format!(
                    "RoleName=r&AssumeRolePolicyDocument={trust}&PermissionsBoundary=arn:aws:iam::111122223333:policy/ours/p{TAG}"
                ),
            ),
            (
                "CreateInstanceProfile",
                format!("InstanceProfileName=i{TAG}"),
            ),
        ] {
            let params = Params::parse(&call);
            let Some(Action::Write(write)) = Action::find(action) else {
                panic!("{action}");
            };
            write(&mut account, &context("aws", &params, &quotas, &ids)).unwrap();
        }
        account
    }

    /// What a call is authorised on: action, end of the ARN, keys but the region.
    type Expected = (&'static str, &'static str, &'static [&'static str]);

    /// A call, and everything that it is authorised on.
    #[rustfmt::skip] // A table.
    const CALLS: &[(&str, &[Expected])] = &[
        ("CreateRole&RoleName=new&Path=/ours/&PermissionsBoundary=x", &[
            ("CreateRole", "role/ours/new", &["iam:permissionsboundary"]),
        ]),
        ("CreateRole&RoleName=new&Path=/ours/T", &[
            ("CreateRole", "role/ours/new", &["aws:requesttag/a", "aws:requesttag/b", "aws:tagkeys"]),
            ("TagRole", "role/ours/new", &["aws:requesttag/a", "aws:requesttag/b", "aws:tagkeys"]),
        ]),
        // What is there does not count for a creation.
        ("CreateRole&RoleName=r&Path=/new/", &[("CreateRole", "role/new/r", &[])]),
        ("CreatePolicy&PolicyName=q&Path=/ours/T", &[
            ("CreatePolicy", "policy/ours/q", &["aws:requesttag/a", "aws:requesttag/b", "aws:tagkeys"]),
            ("TagPolicy", "policy/ours/q", &["aws:requesttag/a", "aws:requesttag/b", "aws:tagkeys"]),
        ]),
        ("CreateInstanceProfile&InstanceProfileName=jT", &[
            ("CreateInstanceProfile", "instance-profile/j", &["aws:requesttag/a", "aws:requesttag/b", "aws:tagkeys"]),
            ("TagInstanceProfile", "instance-profile/j", &["aws:requesttag/a", "aws:requesttag/b", "aws:tagkeys"]),
        ]),
        ("GetRole&RoleName=R", &[("GetRole", "role/ours/r", &["aws:resourcetag/held", "iam:permissionsboundary", "iam:resourcetag/held"])]),
        ("GetRole&RoleName=absent", &[("GetRole", "role/absent", &[])]),
        ("ListRoleTags&RoleName=r", &[("ListRoleTags", "role/ours/r", &["aws:resourcetag/held", "iam:resourcetag/held"])]),
        ("AttachRolePolicy&RoleName=r&PolicyArn=x", &[("AttachRolePolicy", "role/ours/r", &["aws:resourcetag/held", "iam:permissionsboundary", "iam:policyarn", "iam:resourcetag/held"])]),
        ("PutRolePolicy&RoleName=r&PolicyName=x", &[("PutRolePolicy", "role/ours/r", &["aws:resourcetag/held", "iam:permissionsboundary", "iam:resourcetag/held"])]),
        ("TagRole&RoleName=rT", &[("TagRole", "role/ours/r", &["aws:requesttag/a", "aws:requesttag/b", "aws:resourcetag/held", "aws:tagkeys", "iam:resourcetag/held"])]),
        ("UntagRole&RoleName=r&TagKeys.member.1=a", &[("UntagRole", "role/ours/r", &["aws:resourcetag/held", "aws:tagkeys", "iam:resourcetag/held"])]),
        // IAM's own key is for roles only.
        ("DeletePolicy&PolicyArn=P", &[("DeletePolicy", "policy/ours/p", &["aws:resourcetag/held"])]),
        ("TagPolicy&PolicyArn=PT", &[("TagPolicy", "policy/ours/p", &["aws:requesttag/a", "aws:requesttag/b", "aws:resourcetag/held", "aws:tagkeys"])]),
        ("DeleteInstanceProfile&InstanceProfileName=i", &[("DeleteInstanceProfile", "instance-profile/ours/i", &["aws:resourcetag/held"])]),
        ("AddRoleToInstanceProfile&InstanceProfileName=i&RoleName=r", &[
            ("AddRoleToInstanceProfile", "instance-profile/ours/i", &["aws:resourcetag/held"]),
            ("PassRole", "role/ours/r", &["aws:resourcetag/held", "iam:passedtoservice", "iam:resourcetag/held"]),
        ]),
        ("RemoveRoleFromInstanceProfile&InstanceProfileName=i&RoleName=r", &[
            ("RemoveRoleFromInstanceProfile", "instance-profile/ours/i", &["aws:resourcetag/held"]),
        ]),
        ("ListRoles", &[("ListRoles", "*", &[])]),
    ];

    #[test]
    fn what_each_call_is_authorised_on() {
        let account = account();
        for (call, expected) in CALLS {
            let params = match call.strip_suffix('T') {
                Some(call) => format!("{call}{TAGS}"),
                None => (*call).to_owned(),
            };
            let params = params.replace("=P", "=arn:aws:iam::111122223333:policy/ours/p");
            let requests = asked(&account, "aws", &format!("Action={params}"));
            let seen: Vec<(&str, &str, Vec<&str>)> = requests
                .iter()
                .map(|request| {
                    let mut keys = request.context.keys();
                    keys.retain(|key| *key != "aws:requestedregion");
                    assert_eq!(keys.len() + 1, request.context.keys().len(), "{call}");
                    (
                        request.action.strip_prefix("iam:").unwrap(),
                        request.resource.rsplit(':').next().unwrap(),
                        keys,
                    )
                })
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(action, resource, keys)| (*action, *resource, keys.to_vec()))
                .collect();
            assert_eq!(seen, expected, "{call}");
        }
    }

    #[test]
    fn services_and_regions_are_those_of_the_partition() {
        for (partition, service, region) in [
            ("aws", "ec2.amazonaws.com", "us-east-1"),
            ("aws-cn", "ec2.amazonaws.com.cn", "cn-north-1"),
            ("aws-us-gov", "ec2.amazonaws.com", "us-gov-west-1"),
        ] {
            let call = "Action=AddRoleToInstanceProfile&InstanceProfileName=i&RoleName=r";
            let requests = asked(&Account::default(), partition, call);
            let mut expected = evaluate::Context::default();
            expected.set("iam:PassedToService", [service]);
            expected.set("aws:RequestedRegion", [region]);
            assert_eq!(requests[1].context, expected, "{partition}");
        }
    }
}
