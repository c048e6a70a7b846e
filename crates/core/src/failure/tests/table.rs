//! AWS's texts, each with the whole message that people read of it. Sources: IAM user guide,
//! "Troubleshoot access denied error messages", with and without the ARN of the policy that AWS adds
//! since 2026; the error texts of IAM and STS.

use super::*;
use FailureClass::{
    AccessDenied, AlreadyExists, InUse, NoRoom, NotFound, Quota, Refused, TooLarge, Unavailable,
};

/// AWS's text and the message.
struct Row {
    class: FailureClass,
    action: &'static str,
    resource: &'static str,
    text: String,
    message: String,
}

/// As AWS begins every refusal of this kind.
pub(super) fn denied(action: &str, resource: &str, because: &str) -> String {
    format!(
        "User: arn:aws:sts::111122223333:assumed-role/controller/web-1 is not authorized to perform: {action} on resource: {resource} {because}"
    )
}

/// A refusal of `iam:CreateRole`.
fn creation(because: &str, message: &str) -> Row {
    worded(&denied("iam:CreateRole", ROLE, because), message)
}

fn worded(text: &str, message: &str) -> Row {
    row(AccessDenied, "iam:CreateRole", ROLE, text, message)
}

fn row(
    class: FailureClass,
    action: &'static str,
    resource: &'static str,
    text: &str,
    message: &str,
) -> Row {
    let on = if resource.is_empty() { "" } else { " on " };
    Row {
        class,
        action,
        resource,
        text: text.to_owned(),
        message: format!("{action}{on}{resource}: {message}"),
    }
}

fn check(rows: Vec<Row>) {
    for row in rows {
        let failure = refused(row.class, row.action, row.resource, &row.text);
        assert_eq!(failure.to_string(), row.message, "{}", row.text);
        assert_eq!(failure.said.full(), row.text);
    }
}

const ALLOW: &str =
    "Allow iam:CreateRole for the controller's role (smr controller-policy prints the policy)";
const ASK: &str =
    "Ask the organization's administrators to allow iam:CreateRole for the controller's role";

#[test]
fn the_contract_has_this_sample() {
    let text = denied(
        "iam:CreateRole",
        ROLE,
        "because no identity-based policy allows the iam:CreateRole action",
    );
    assert_eq!(
        refused(AccessDenied, "iam:CreateRole", ROLE, &text).to_string(),
        "iam:CreateRole on arn:aws:iam::111122223333:role/session-manager/team.web: access denied by the controller's own policy. Allow iam:CreateRole for the controller's role (smr controller-policy prints the policy)"
    );
}

#[test]
fn the_own_policies_deny() {
    let boundary = "access denied by the permissions boundary of the controller's role. Allow iam:CreateRole in that permissions boundary";
    let remove = "access denied by an explicit deny in the controller's own policy. Remove the deny of iam:CreateRole from the policies of the controller's role";
    check(vec![
        creation(
            "because no identity-based policy allows the iam:CreateRole action",
            &format!("access denied by the controller's own policy. {ALLOW}"),
        ),
        creation("with an explicit deny in an identity-based policy", remove),
        creation(
            "with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/HRPolicy",
            remove,
        ),
        creation(
            "because no permissions boundary allows the iam:CreateRole action",
            boundary,
        ),
        creation(
            "because no permissions boundary allows the iam:CreateRole action: arn:aws:iam::111122223333:policy/platform/ceiling",
            boundary,
        ),
        creation(
            "with an explicit deny in a permissions boundary: arn:aws:iam::111122223333:policy/platform/ceiling",
            "access denied by an explicit deny in the permissions boundary of the controller's role. Remove the deny of iam:CreateRole from that permissions boundary",
        ),
        creation(
            "because no session policy allows the iam:CreateRole action",
            "access denied by the session policy of the controller's credentials. Ask whoever issues these credentials to allow iam:CreateRole in their session policy",
        ),
        creation(
            "with an explicit deny in a session policy: arn:aws:iam::111122223333:policy/narrow",
            "access denied by an explicit deny in the session policy of the controller's credentials. Ask whoever issues these credentials to allow iam:CreateRole in their session policy",
        ),
    ]);
}

#[test]
fn others_policies_deny() {
    let explicit = format!("access denied by an explicit deny in an organization policy. {ASK}");
    let implicit = format!("access denied by an organization policy. {ASK}");
    check(vec![
        creation(
            "with an explicit deny in a service control policy",
            &explicit,
        ),
        creation(
            "with an explicit deny in a service control policy: arn:aws:organizations::999988887777:policy/o-exampleorgid/service_control_policy/p-examplepolicy",
            &explicit,
        ),
        creation(
            "due to an explicit deny in a Service Control Policy",
            &explicit,
        ),
        creation(
            "because no service control policy allows the iam:CreateRole action",
            &implicit,
        ),
        creation(
            "with an explicit deny in a resource control policy: arn:aws:organizations::999988887777:policy/o-exampleorgid/resource_control_policy/p-examplepolicy",
            &explicit,
        ),
        creation(
            "because no resource control policy allows the iam:CreateRole action",
            &implicit,
        ),
        creation(
            "with an explicit deny in a policy: arn:aws-us-gov:organizations::999988887777:policy/o-exampleorgid/a_new_kind/p-examplepolicy",
            &explicit,
        ),
        creation(
            "because no VPC endpoint policy allows the iam:CreateRole action",
            "access denied by the VPC endpoint policy. Allow iam:CreateRole in the policy of the VPC endpoint",
        ),
        creation(
            "with an explicit deny in a VPC endpoint policy: arn:aws:ec2:us-east-1:444455556666:vpc-endpoint/vpce-0123456789abcdef0",
            "access denied by an explicit deny in the VPC endpoint policy. Remove the deny of iam:CreateRole from the policy of the VPC endpoint",
        ),
        creation(
            "because no resource-based policy allows the iam:CreateRole action",
            "access denied by a resource-based policy. Allow iam:CreateRole in the policy of that resource",
        ),
        creation(
            "with an explicit deny in a resource-based policy",
            "access denied by an explicit deny in a resource-based policy. Remove the deny of iam:CreateRole from the policy of that resource",
        ),
    ]);
}

#[test]
fn older_and_shorter_forms() {
    let unnamed = "access denied (AWS does not name the kind of policy)";
    check(vec![
        worded("", &format!("{unnamed}. {ALLOW}")),
        worded("Access Denied", &format!("{unnamed}. {ALLOW}")),
        worded(
            "User: arn:aws:iam::111122223333:user/ci is not authorized to perform: iam:CreateRole on resource: role team.web",
            &format!("{unnamed}. {ALLOW}"),
        ),
        worded(
            "User: arn:aws:iam::111122223333:user/ci is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::111122223333:role/session-manager/team.web with an explicit deny",
            "access denied by an explicit deny (AWS does not name the kind of policy). Remove the deny of iam:CreateRole from the policies of the controller's role",
        ),
        worded(
            "You are not authorized to perform this operation. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abc",
            &format!("{unnamed}. {ALLOW}"),
        ),
        worded(
            "You are not authorized to perform this operation. User: arn:aws:sts::444455556666:assumed-role/Admin/jane@example.com is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::111122223333:role/session-manager/team.web with an explicit deny in a service control policy. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abc",
            &format!("access denied by an explicit deny in an organization policy. {ASK}"),
        ),
        // Not a form of AWS: nothing of it gets through.
        worded(
            "not authorized to perform: o-exampleorgid:Leak on resource: arn:aws:iam::444455556666:role/theirs because",
            &format!("{unnamed}. {ALLOW}"),
        ),
    ]);
}

/// Another right than the call's is missing, on another resource or on the same.
#[test]
fn the_missing_right_can_be_another() {
    let add = "iam:AddRoleToInstanceProfile";
    let because = "because no identity-based policy allows the iam:PassRole action";
    let pass = |resource: &str| denied("iam:PassRole", resource, because);
    let by = "access denied by the controller's own policy.";
    let print = "for the controller's role (smr controller-policy prints the policy)";
    check(vec![
        row(
            AccessDenied,
            add,
            PROFILE,
            &pass(ROLE),
            &format!("{by} Allow iam:PassRole on {ROLE} {print}"),
        ),
        // IAM puts the kind before the ARN of a policy.
        row(
            AccessDenied,
            "iam:AttachRolePolicy",
            ROLE,
            &denied("iam:GetPolicy", &format!("policy {POLICY}"), because),
            &format!("{by} Allow iam:GetPolicy on {POLICY} {print}"),
        ),
        row(
            AccessDenied,
            "iam:CreateRole",
            ROLE,
            &denied("iam:TagRole", ROLE, because),
            &format!("{by} Allow iam:TagRole {print}"),
        ),
        row(
            AccessDenied,
            add,
            PROFILE,
            &pass("arn:aws:iam::444455556666:role/session-manager/theirs"),
            &format!("{by} Allow iam:PassRole {print}"),
        ),
        row(
            AccessDenied,
            add,
            PROFILE,
            &pass("arn:aws:iam::111122223333:role/platform/admin"),
            &format!("{by} Allow iam:PassRole {print}"),
        ),
        row(
            AccessDenied,
            "sts:GetCallerIdentity",
            "",
            "User: arn:aws:iam::444455556666:user/John is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::777788889999:role/target because no role trust policy allows the sts:AssumeRole action",
            "access denied by a resource-based policy. Allow sts:AssumeRole in the policy of that resource",
        ),
    ]);
}

const CORRECT: &str = "Correct what spec or the controller's flags give for it";

#[test]
fn quotas_and_documents_keep_awss_words() {
    check(vec![
        row(
            Quota,
            "iam:CreateRole",
            ROLE,
            "Cannot exceed quota for RolesPerAccount: 1000",
            "Cannot exceed quota for RolesPerAccount: 1000. The account has the 1000 that it can have: delete in AWS what is not needed, or ask AWS for more RolesPerAccount (Service Quotas, IAM)",
        ),
        row(
            Quota,
            "iam:AttachRolePolicy",
            ROLE,
            "Cannot exceed quota for PoliciesPerRole: 10 (Service: Iam, Status Code: 409, Request ID: 8d0a3c1e-5b5f-4b0f-9c6e-0123456789ab)",
            "Cannot exceed quota for PoliciesPerRole: 10. The role has the 10 managed policies that it can have: list fewer in spec.additionalPolicyArns, detach others in AWS, or ask AWS for more PoliciesPerRole (Service Quotas, IAM)",
        ),
        row(
            TooLarge,
            "iam:CreatePolicy",
            POLICY,
            "Cannot exceed quota for PolicySize: 6144",
            "Cannot exceed quota for PolicySize: 6144. Ask for less in spec, or name things shorter: this limit of IAM can't be raised",
        ),
        row(
            NoRoom,
            "iam:CreatePolicyVersion",
            POLICY,
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version. Ask AWS for a higher quota (Service Quotas, IAM), or remove what is not needed",
        ),
        row(
            Refused,
            "iam:CreatePolicy",
            POLICY,
            "Partition \"aws-iso\" is not valid for resource \"arn:aws-iso:kms:a-b-1:111122223333:key/k\".",
            &format!(
                "Partition \"aws-iso\" is not valid for resource \"arn:aws-iso:kms:a-b-1:111122223333:key/k\". {CORRECT}"
            ),
        ),
        row(
            Refused,
            "iam:CreatePolicy",
            POLICY,
            "Resource arn:aws:s3:::my-logs/* must be in ARN format or \"*\".",
            &format!("Resource arn:aws:s3:::my-logs/* must be in ARN format or \"*\". {CORRECT}"),
        ),
        row(
            Refused,
            "iam:CreatePolicy",
            POLICY,
            "Resource arn:aws:s3:::logs-of-444455556666/* must be in ARN format or \"*\".",
            &format!("Resource [ARN not shown] must be in ARN format or \"*\". {CORRECT}"),
        ),
        row(
            Refused,
            "iam:UpdateAssumeRolePolicy",
            ROLE,
            "Invalid principal in policy: \"AWS\":\"arn:aws:iam::444455556666:role/theirs\"",
            "Invalid principal in policy: \"AWS\":\"[ARN not shown]\". Check that the controller's --ec2-principal is a service of this partition",
        ),
        row(
            Refused,
            "iam:CreateRole",
            ROLE,
            "Invalid value \"o-exampleorgid\" of the key aws:PrincipalOrgID; path ou-a1b2-c3d4e5f6/r-a1b2.",
            &format!(
                "Invalid value \"[id not shown]\" of the key aws:PrincipalOrgID; path [id not shown]/[id not shown]. {CORRECT}"
            ),
        ),
    ]);
}

#[test]
fn objects_of_others_are_not_named() {
    check(vec![
        row(
            InUse,
            "iam:DeletePolicy",
            POLICY,
            "Cannot delete a policy attached to entities.",
            "Cannot delete a policy attached to entities. Remove in AWS what still uses it",
        ),
        row(
            InUse,
            "iam:DeleteRole",
            ROLE,
            "Cannot delete entity, must detach all policies first.",
            "Cannot delete entity, must detach all policies first. Remove in AWS what still uses it",
        ),
        row(
            AlreadyExists,
            "iam:CreateRole",
            ROLE,
            "Role with name team.web already exists.",
            &format!("Role with name team.web already exists. {}", words::TAKEN),
        ),
        row(
            AlreadyExists,
            "iam:CreatePolicy",
            POLICY,
            "A policy called team.web already exists. Duplicate names are not allowed.",
            &format!(
                "A policy called team.web already exists. Duplicate names are not allowed. {}",
                words::TAKEN
            ),
        ),
        row(
            Refused,
            "iam:AttachRolePolicy",
            ROLE,
            "ARN arn:aws:iam::444455556666:policy/theirs is not valid.",
            &format!("ARN [ARN not shown] is not valid. {CORRECT}"),
        ),
        row(
            Refused,
            "iam:AttachRolePolicy",
            ROLE,
            "Policy arn:aws:iam::aws:policy/ReadOnlyAccess and arn:aws:iam::111122223333:policy/session-manager/team.web",
            &format!(
                "Policy arn:aws:iam::aws:policy/ReadOnlyAccess and arn:aws:iam::111122223333:policy/session-manager/team.web. {CORRECT}"
            ),
        ),
        row(
            NotFound,
            "iam:AttachRolePolicy",
            ROLE,
            "Policy arn:aws:iam::444455556666:policy/theirs does not exist or is not attachable.",
            "Policy [ARN not shown] does not exist or is not attachable. The controller retries automatically",
        ),
        row(
            NotFound,
            "iam:PutRolePermissionsBoundary",
            ROLE,
            "Scope ARN: arn:aws:iam::111122223333:policy/platform/ceiling does not exist or is not attachable.",
            "Scope ARN: [ARN not shown] does not exist or is not attachable. The controller retries automatically",
        ),
        row(
            NotFound,
            "iam:GetRole",
            ROLE,
            "The role with name team.web cannot be found.",
            "The role with name team.web cannot be found. The controller retries automatically",
        ),
        row(
            Refused,
            "iam:CreateRole",
            ROLE,
            "Principal AROAEXAMPLEID12345678:jane@example.com of account 4444-5555-6666 is not valid, request 8d0a3c1e-5b5f-4b0f-9c6e-0123456789ab.",
            &format!(
                "Principal [id not shown] of account [account id not shown] is not valid, request [id not shown]. {CORRECT}"
            ),
        ),
        row(
            Unavailable,
            "iam:CreateRole",
            ROLE,
            "AWS failed (HTTP 500 ServiceFailure): The request processing has failed.",
            "AWS failed (HTTP 500 ServiceFailure): The request processing has failed. The controller retries automatically",
        ),
    ]);
}
