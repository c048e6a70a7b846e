//! Managed policies and their versions. Does IO.

use crate::support::{
    DOCUMENT, OTHER, document_of, hold, invalid, is_encoded, json, parsed, refused, refused_as,
    rows, same, tag,
};

const CORE: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

rows! {
    "policy-arn": "A policy's ARN holds its path and name." @ "User Guide: IAM identifiers" => |aws| {
        let name = aws.name("p");
        let answer = aws.create_policy(&name).path(aws.path()).send().await?;
        let policy = answer.policy.ok_or("no policy")?;
        same!(policy.policy_name(), Some(name.as_str()));
        same!(policy.path(), Some(aws.path().as_str()));
        hold!(policy.arn().is_some_and(|arn| arn.ends_with(&format!(":policy{}{name}", aws.path()))));
    }
    "policy-id": "A policy's unique id starts with ANPA and has 21 characters." @ "User Guide: IAM identifiers, unique ID prefixes" => |aws| {
        let policy = aws.get_policy(&aws.policy("p").await?).await?;
        let id = policy.policy_id().ok_or("no id")?;
        hold!(id.starts_with("ANPA"));
        same!(id.len(), 21);
    }
    "policy-first-version": "A new policy has the version v1, which is its default." @ "User Guide: Versioning IAM policies" => |aws| {
        let policy = aws.get_policy(&aws.policy("p").await?).await?;
        same!(policy.default_version_id(), Some("v1"));
        hold!(policy.is_attachable());
        same!(policy.attachment_count(), Some(0));
    }
    "policy-exists": "A second policy of the same name is EntityAlreadyExists, 409." @ "API CreatePolicy, Errors" => |aws| {
        aws.policy("p").await?;
        refused(aws.create_policy(&aws.name("p")).send().await, 409, "EntityAlreadyExists")?;
    }
    "policy-exists-other-case": "Names are not distinguished by case." @ "API CreatePolicy, PolicyName" => |aws| {
        aws.policy("policy").await?;
        refused(aws.create_policy(&aws.name("POLICY")).send().await, 409, "EntityAlreadyExists")?;
    }
    "policy-exists-other-path": "Names are unique within the account, whatever the path." @ "User Guide: IAM identifiers, friendly names and paths" => |aws| {
        aws.policy("p").await?;
        refused(aws.create_policy(&aws.name("p")).path(aws.path()).send().await, 409, "EntityAlreadyExists")?;
    }
    "policy-name-128": "A policy's name has up to 128 characters." @ "API CreatePolicy, PolicyName" => |aws| {
        aws.create_policy(&aws.long_name(128)).send().await?;
    }
    "policy-name-129": "A policy's name has at most 128 characters." @ "API CreatePolicy, PolicyName" => |aws| {
        invalid(aws.create_policy(&aws.long_name(129)).send().await)?;
    }
    "policy-name-space": "A policy's name holds no spaces." @ "API CreatePolicy, PolicyName" => |aws| {
        invalid(aws.create_policy(&aws.name("a b")).send().await)?;
    }
    "policy-path-open": "A policy's path ends with a slash." @ "API CreatePolicy, Path" => |aws| {
        invalid(aws.create_policy(&aws.name("p")).path("/open").send().await)?;
    }
    "policy-path-double": "A policy's path has no empty segment." @ "API CreatePolicy, Path" => |aws| {
        invalid(aws.create_policy(&aws.name("p")).path("/a//b/").send().await)?;
    }
    "policy-path-signs": "A policy's path holds only letters, digits and .,+@=_- between slashes." @ "API CreatePolicy, Path" => |aws| {
        invalid(aws.create_policy(&aws.name("p")).path("/a!b/").send().await)?;
    }
    "policy-description": "GetPolicy answers the description." @ "API Policy, Description" => |aws| {
        let answer = aws.create_policy(&aws.name("p")).description("what it is for").send().await?;
        let arn = answer.policy.and_then(|policy| policy.arn).ok_or("no ARN")?;
        same!(aws.get_policy(&arn).await?.description(), Some("what it is for"));
    }
    "policy-description-1001": "A policy's description has at most 1,000 characters." @ "API CreatePolicy, Description" => |aws| {
        invalid(aws.create_policy(&aws.name("p")).description("d".repeat(1001)).send().await)?;
    }
    "policy-tags": "GetPolicy answers the tags." @ "API GetPolicy" => |aws| {
        let answer = aws.create_policy(&aws.name("p")).tags(tag("k", "v")).send().await?;
        let arn = answer.policy.and_then(|policy| policy.arn).ok_or("no ARN")?;
        same!(aws.get_policy(&arn).await?.tags(), [tag("k", "v")]);
    }
    "policy-missing": "GetPolicy of what is not there is NoSuchEntity, 404." @ "API GetPolicy, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.iam.get_policy().policy_arn(format!("{arn}-gone")).send().await, 404, "NoSuchEntity")?;
    }
    "policy-other-case": "An ARN is taken exactly: in another case it names no policy." @ "User Guide: IAM identifiers, IAM ARNs" => |aws| {
        let arn = aws.policy("policy").await?.replace("-policy", "-Policy");
        refused(aws.iam.get_policy().policy_arn(arn).send().await, 404, "NoSuchEntity")?;
    }
    "policy-other-path": "An ARN is taken exactly: under another path it names no policy." @ "User Guide: IAM identifiers, IAM ARNs" => |aws| {
        let arn = aws.policy("p").await?.replace(":policy/", ":policy/elsewhere/");
        refused(aws.iam.get_policy().policy_arn(arn).send().await, 404, "NoSuchEntity")?;
    }
    "policy-not-an-arn": "A policy is asked for by its ARN, not its name." @ "API GetPolicy, PolicyArn" => |aws| {
        refused_as(aws.iam.get_policy().policy_arn("short").send().await, &[(400, "ValidationError"), (400, "InvalidInput")])?;
    }
    "policy-delete": "A deleted policy is gone." @ "API DeletePolicy" => |aws| {
        let arn = aws.policy("p").await?;
        aws.iam.delete_policy().policy_arn(&arn).send().await?;
        refused(aws.iam.get_policy().policy_arn(&arn).send().await, 404, "NoSuchEntity")?;
    }
    "policy-delete-missing": "DeletePolicy of what is not there is NoSuchEntity." @ "API DeletePolicy, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.iam.delete_policy().policy_arn(format!("{arn}-gone")).send().await, 404, "NoSuchEntity")?;
    }
    "policy-delete-attached": "An attached policy can't be deleted." @ "API DeletePolicy" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        aws.attach(&name, &arn).send().await?;
        refused(aws.iam.delete_policy().policy_arn(&arn).send().await, 409, "DeleteConflict")?;
        aws.get_policy(&arn).await?;
    }
    "policy-delete-boundary": "A policy in use as a boundary can't be deleted." @ "User Guide: Delete IAM policies" => |aws| {
        let arn = aws.policy("p").await?;
        aws.create_role(&aws.name("r")).permissions_boundary(&arn).send().await?;
        refused(aws.iam.delete_policy().policy_arn(&arn).send().await, 409, "DeleteConflict")?;
    }
    "policy-delete-versions": "A policy with more than its default version can't be deleted." @ "API DeletePolicy" => |aws| {
        let arn = aws.policy("p").await?;
        aws.create_version(&arn).send().await?;
        refused(aws.iam.delete_policy().policy_arn(&arn).send().await, 409, "DeleteConflict")?;
    }
    "policy-again-new-id": "A policy created again has another unique id, and starts at v1." @ "User Guide: IAM identifiers, unique identifiers" => |aws| {
        let arn = aws.policy("p").await?;
        let first = aws.get_policy(&arn).await?;
        aws.iam.delete_policy().policy_arn(&arn).send().await?;
        aws.policy("p").await?;
        let second = aws.get_policy(&arn).await?;
        hold!(first.policy_id() != second.policy_id());
        same!(second.default_version_id(), Some("v1"));
    }
    "policy-size": "A managed policy has up to 6,144 characters, white space not counted." @ "User Guide: IAM and AWS STS quotas, character limits" => |aws| {
        let document = document_of(6144).replace(",\"", ",  \n \"");
        aws.create_policy(&aws.name("p")).policy_document(document).send().await?;
    }
    "policy-too-long": "A managed policy of more than 6,144 characters is LimitExceeded." @ "API CreatePolicy, Errors" => |aws| {
        refused(aws.create_policy(&aws.name("p")).policy_document(document_of(6145)).send().await, 409, "LimitExceeded")?;
    }
    "version-encoded": "GetPolicyVersion answers the document percent-encoded after RFC 3986." @ "API GetPolicyVersion" => |aws| {
        let arn = aws.policy("p").await?;
        let answer = aws.iam.get_policy_version().policy_arn(&arn).version_id("v1").send().await?;
        hold!(is_encoded(answer.policy_version().and_then(|version| version.document())));
    }
    "version-same": "GetPolicyVersion answers the document, its id and whether it is the default." @ "API GetPolicyVersion" => |aws| {
        let arn = aws.policy("p").await?;
        let answer = aws.iam.get_policy_version().policy_arn(&arn).version_id("v1").send().await?;
        let version = answer.policy_version().ok_or("no version")?;
        same!(parsed(version.document())?, json(DOCUMENT));
        same!(version.version_id(), Some("v1"));
        hold!(version.is_default_version());
    }
    "version-create": "A new version gets the next id, and is not the default unless asked for." @ "API CreatePolicyVersion, SetAsDefault" => |aws| {
        let arn = aws.policy("p").await?;
        let answer = aws.create_version(&arn).send().await?;
        let version = answer.policy_version().ok_or("no version")?;
        same!(version.version_id(), Some("v2"));
        hold!(!version.is_default_version());
        same!(aws.get_policy(&arn).await?.default_version_id(), Some("v1"));
    }
    "version-create-default": "A new version can become the default at once." @ "API CreatePolicyVersion, SetAsDefault" => |aws| {
        let arn = aws.policy("p").await?;
        let answer = aws.create_version(&arn).set_as_default(true).send().await?;
        hold!(answer.policy_version().is_some_and(aws_sdk_iam::types::PolicyVersion::is_default_version));
        same!(aws.get_policy(&arn).await?.default_version_id(), Some("v2"));
        let first = aws.iam.get_policy_version().policy_arn(&arn).version_id("v1").send().await?;
        hold!(!first.policy_version().is_some_and(aws_sdk_iam::types::PolicyVersion::is_default_version));
        same!(parsed(first.policy_version().and_then(|version| version.document()))?, json(DOCUMENT));
    }
    "version-sixth": "The sixth version is LimitExceeded, 409." @ "API CreatePolicyVersion, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        for _ in 0..4 {
            aws.create_version(&arn).send().await?;
        }
        refused(aws.create_version(&arn).send().await, 409, "LimitExceeded")?;
    }
    "version-never-reused": "The id of a deleted version is not used again." @ "User Guide: Versioning IAM policies" => |aws| {
        let arn = aws.policy("p").await?;
        aws.create_version(&arn).send().await?;
        aws.iam.delete_policy_version().policy_arn(&arn).version_id("v2").send().await?;
        let answer = aws.create_version(&arn).send().await?;
        same!(answer.policy_version().and_then(|version| version.version_id()), Some("v3"));
    }
    "version-malformed": "CreatePolicyVersion refuses what is no policy." @ "API CreatePolicyVersion, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.create_version(&arn).policy_document("[]").send().await, 400, "MalformedPolicyDocument")?;
    }
    "version-too-long": "A version holds the policy's size limit." @ "API CreatePolicyVersion, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.create_version(&arn).policy_document(document_of(6145)).send().await, 409, "LimitExceeded")?;
    }
    "version-no-policy": "CreatePolicyVersion needs a policy that exists." @ "API CreatePolicyVersion, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.create_version(&format!("{arn}-gone")).send().await, 404, "NoSuchEntity")?;
    }
    "version-missing": "GetPolicyVersion of what is not there is NoSuchEntity." @ "API GetPolicyVersion, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.iam.get_policy_version().policy_arn(&arn).version_id("v9").send().await, 404, "NoSuchEntity")?;
    }
    "version-id-form": "A version's id is a v and a number from 1." @ "API GetPolicyVersion, VersionId" => |aws| {
        let arn = aws.policy("p").await?;
        invalid(aws.iam.get_policy_version().policy_arn(&arn).version_id("latest").send().await)?;
    }
    "version-list": "ListPolicyVersions answers every version without its document." @ "API ListPolicyVersions" => |aws| {
        let arn = aws.policy("p").await?;
        aws.create_version(&arn).send().await?;
        let answer = aws.iam.list_policy_versions().policy_arn(&arn).send().await?;
        let mut ids: Vec<_> = answer.versions().iter().filter_map(|version| version.version_id()).collect();
        ids.sort_unstable();
        same!(ids, ["v1", "v2"]);
        hold!(answer.versions().iter().all(|version| version.document().is_none()));
        hold!(answer.versions().iter().all(|version| version.is_default_version() == (version.version_id() == Some("v1"))));
    }
    "version-list-missing": "ListPolicyVersions of what is not there is NoSuchEntity." @ "API ListPolicyVersions, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.iam.list_policy_versions().policy_arn(format!("{arn}-gone")).send().await, 404, "NoSuchEntity")?;
    }
    "version-delete-default": "The default version can't be deleted." @ "API DeletePolicyVersion" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.iam.delete_policy_version().policy_arn(&arn).version_id("v1").send().await, 409, "DeleteConflict")?;
    }
    "version-delete-missing": "DeletePolicyVersion of what is not there is NoSuchEntity." @ "API DeletePolicyVersion, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.iam.delete_policy_version().policy_arn(&arn).version_id("v2").send().await, 404, "NoSuchEntity")?;
    }
    "version-default": "SetDefaultPolicyVersion changes the default, and the old one can go." @ "API SetDefaultPolicyVersion" => |aws| {
        let arn = aws.policy("p").await?;
        aws.create_version(&arn).send().await?;
        aws.iam.set_default_policy_version().policy_arn(&arn).version_id("v2").send().await?;
        same!(aws.get_policy(&arn).await?.default_version_id(), Some("v2"));
        aws.iam.delete_policy_version().policy_arn(&arn).version_id("v1").send().await?;
        let answer = aws.iam.get_policy_version().policy_arn(&arn).version_id("v2").send().await?;
        same!(parsed(answer.policy_version().and_then(|version| version.document()))?, json(OTHER));
    }
    "version-default-missing": "SetDefaultPolicyVersion needs a version that exists." @ "API SetDefaultPolicyVersion, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.iam.set_default_policy_version().policy_arn(&arn).version_id("v2").send().await, 404, "NoSuchEntity")?;
    }
    "aws-policy-get": "A policy that AWS manages can be read, with its document." @ "User Guide: Managed policies and inline policies" => |aws| {
        let policy = aws.get_policy(CORE).await?;
        same!(policy.policy_name(), Some("AmazonSSMManagedInstanceCore"));
        let version = policy.default_version_id().ok_or("no version")?;
        let answer = aws.iam.get_policy_version().policy_arn(CORE).version_id(version).send().await?;
        hold!(parsed(answer.policy_version().and_then(|version| version.document()))?["Statement"].is_array());
    }
    "aws-policy-delete": "A policy that AWS manages can't be deleted." @ "User Guide: Managed policies and inline policies" => |aws| {
        // Not one that other rows use: a stand-in that deletes it has wronged this row alone.
        let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
        refused_as(aws.iam.delete_policy().policy_arn(arn).send().await, &[(403, "AccessDenied"), (400, "InvalidInput"), (400, "UnmodifiableEntity")])?;
    }
    "aws-policy-version": "A policy that AWS manages gets no versions from others." @ "User Guide: Managed policies and inline policies" => |aws| {
        refused_as(aws.create_version(CORE).send().await, &[(403, "AccessDenied"), (400, "InvalidInput"), (400, "UnmodifiableEntity")])?;
    }
    "aws-policy-tag": "A policy that AWS manages can't be tagged." @ "User Guide: Tag customer managed policies" => |aws| {
        refused_as(aws.iam.tag_policy().policy_arn(CORE).tags(tag("k", "v")).send().await, &[(403, "AccessDenied"), (400, "InvalidInput"), (400, "UnmodifiableEntity")])?;
    }
}
