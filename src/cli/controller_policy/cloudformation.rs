//! The AWS side of one controller as a CloudFormation template: documents and names in, JSON out (which every
//! tool takes that takes a template). No IO.
//!
//! The documents are baked in, as `smr controller-policy` prints them: a template with conditions of its own
//! would be another policy than the one that is tested.

use serde_json::{Map, Value, json};
use smr_core::account::Arn;
use smr_core::resolve::document::Document;

use super::others::ServiceAccount;

/// Name of the controller's role and of its policy, where the stack's owner does not choose another.
const ROLE: &str = "session-manager-role";

/// IAM can't change a policy's description, so a stack that has another can't be updated: never change these.
pub(super) const POLICY_DESCRIPTION: &str = "What session-manager-role may do";
/// The same.
pub(super) const BOUNDARY_DESCRIPTION: &str = "What a role of a SessionManagerRole can do at most";

/// Who may be the controller.
pub(super) enum Trust<'a> {
    /// IRSA.
    Oidc(Document),
    /// EKS Pod Identity, with the association in this EKS cluster.
    PodIdentity {
        document: Document,
        eks_cluster: &'a str,
        who: ServiceAccount<'a>,
    },
    /// A principal that the stack's owner names.
    Parameter,
}

/// What the template is made of.
pub(super) struct Stack<'a> {
    pub cluster: &'a str,
    /// In parts that IAM takes, mostly one.
    pub policy: Vec<Document>,
    /// The boundary's ARN, where there is one, and its document, where the stack can make it.
    pub boundary: Option<(&'a str, Option<Document>)>,
    pub trust: Trust<'a>,
}

fn document(document: &Document) -> Value {
    serde_json::from_str(&document.to_json()).unwrap_or_default()
}

/// The whole template.
pub(super) fn template(stack: &Stack) -> Value {
    let mut parameters = Map::new();
    parameters.insert(
        "RoleName".to_owned(),
        json!({
            "Type": "String",
            "Default": ROLE,
            "AllowedPattern": "[A-Za-z0-9_+=,.@-]{1,64}",
            "Description": "Name of the controller's role and of its policy. Several clusters in one account need several names. For another name than the default, give its ARN to --document scp as --controller-role-arn.",
        }),
    );
    let mut resources = Map::new();
    let mut outputs = Map::new();
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("The AWS side of session-manager-role in the cluster {}", stack.cluster),
    });
    if let Some((arn, boundary)) = &stack.boundary {
        if let Some(boundary) = boundary {
            parameters.insert("CreateBoundary".to_owned(), create_boundary(arn));
            template["Conditions"] = json!({ "CreateBoundary": { "Fn::Equals": [{ "Ref": "CreateBoundary" }, "true"] } });
            resources.insert("Boundary".to_owned(), boundary_resource(arn, boundary));
        }
        outputs.insert(
            "BoundaryArn".to_owned(),
            json!({ "Description": "The chart's value limits.permissionsBoundaryArn", "Value": arn }),
        );
    }
    resources.extend(policies(&stack.policy));
    resources.insert("ControllerRole".to_owned(), role(stack));
    if let Trust::PodIdentity {
        eks_cluster, who, ..
    } = &stack.trust
    {
        resources.insert(
            "PodIdentityAssociation".to_owned(),
            json!({
                "Type": "AWS::EKS::PodIdentityAssociation",
                "Properties": {
                    "ClusterName": eks_cluster,
                    "Namespace": who.namespace,
                    "ServiceAccount": who.name,
                    "RoleArn": { "Fn::GetAtt": ["ControllerRole", "Arn"] },
                },
            }),
        );
    }
    if let Trust::Parameter = &stack.trust {
        parameters.insert(
            "TrustedPrincipalArn".to_owned(),
            json!({
                "Type": "String",
                "AllowedPattern": "arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:.+",
                "Description": "Role or user whose credentials the controller has. It may assume the controller's role.",
            }),
        );
    }
    outputs.insert(
        "RoleArn".to_owned(),
        json!({
            "Description": "The controller's role: the chart's value aws.roleArn with IRSA",
            "Value": { "Fn::GetAtt": ["ControllerRole", "Arn"] },
        }),
    );
    template["Parameters"] = Value::Object(parameters);
    template["Resources"] = Value::Object(resources);
    template["Outputs"] = Value::Object(outputs);
    template
}

/// One policy, or a policy for each of its parts.
fn policies(parts: &[Document]) -> impl Iterator<Item = (String, Value)> {
    parts.iter().enumerate().map(|(number, part)| {
        let name = match number {
            0 => json!({ "Ref": "RoleName" }),
            _ => json!({ "Fn::Sub": format!("${{RoleName}}-{}", number + 1) }),
        };
        let policy = json!({
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": name,
                "Description": POLICY_DESCRIPTION,
                "PolicyDocument": document(part),
            },
        });
        (policy_resource(number), policy)
    })
}

fn policy_resource(number: usize) -> String {
    match number {
        0 => "ControllerPolicy".to_owned(),
        _ => format!("ControllerPolicy{}", number + 1),
    }
}

fn create_boundary(arn: &str) -> Value {
    json!({
        "Type": "String",
        "Default": "true",
        "AllowedValues": ["true", "false"],
        "Description": format!("false where {arn} exists already: the stack of another cluster made it, or one that was deleted left it"),
    })
}

/// It outlives the stack: the managed roles need it, and IAM deletes no boundary that is in use. Only where
/// the stack's own creation fails does it go, so that the next try finds its name free.
fn boundary_resource(arn: &str, boundary: &Document) -> Value {
    let parsed = Arn::parse(arn);
    json!({
        "Type": "AWS::IAM::ManagedPolicy",
        "Condition": "CreateBoundary",
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "ManagedPolicyName": parsed.as_ref().map_or("", |arn| arn.name),
            "Path": parsed.as_ref().map_or("/", |arn| arn.path),
            "Description": BOUNDARY_DESCRIPTION,
            "PolicyDocument": document(boundary),
        },
    })
}

fn role(stack: &Stack) -> Value {
    let trust = match &stack.trust {
        Trust::Oidc(trust)
        | Trust::PodIdentity {
            document: trust, ..
        } => document(trust),
        Trust::Parameter => json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "AWS": { "Ref": "TrustedPrincipalArn" } },
                "Action": ["sts:AssumeRole"],
            }],
        }),
    };
    json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": { "Ref": "RoleName" },
            "Description": format!("session-manager-role in the cluster {}", stack.cluster),
            "AssumeRolePolicyDocument": trust,
            "ManagedPolicyArns": (0..stack.policy.len())
                .map(|number| json!({ "Ref": policy_resource(number) }))
                .collect::<Vec<_>>(),
        },
    })
}
