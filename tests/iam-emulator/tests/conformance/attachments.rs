//! Managed policies on roles. Does IO.

use aws_sdk_iam::types::PolicyUsageType;

use crate::support::{hold, refused, refused_as, rows, same};

const CORE: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

rows! {
    "attach": "An attached policy is listed by name and ARN." @ "API ListAttachedRolePolicies" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        aws.attach(&name, &arn).send().await?;
        same!(aws.attached(&name).await?, [(aws.name("p"), arn)]);
    }
    "attach-twice": "Attaching again changes nothing, and is no error." @ "API AttachRolePolicy" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        aws.attach(&name, &arn).send().await?;
        aws.attach(&name, &arn).send().await?;
        same!(aws.attached(&name).await?.len(), 1);
    }
    "attach-twice-counts-once": "Attaching again counts once." @ "API Policy, AttachmentCount" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        aws.attach(&name, &arn).send().await?;
        aws.attach(&name, &arn).send().await?;
        same!(aws.get_policy(&arn).await?.attachment_count(), Some(1));
    }
    "attach-missing-policy": "A policy that does not exist can't be attached." @ "API AttachRolePolicy, Errors" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        refused(aws.attach(&name, &format!("{arn}-gone")).send().await, 404, "NoSuchEntity")?;
    }
    "attach-missing-role": "Nothing can be attached to a role that does not exist." @ "API AttachRolePolicy, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.attach(&aws.name("r"), &arn).send().await, 404, "NoSuchEntity")?;
    }
    "attach-other-case": "An ARN is taken exactly: in another case it names no policy." @ "User Guide: IAM identifiers, IAM ARNs" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("policy").await?);
        refused(aws.attach(&name, &arn.replace("-policy", "-POLICY")).send().await, 404, "NoSuchEntity")?;
    }
    "attach-not-an-arn": "What is attached is named by an ARN." @ "API AttachRolePolicy, PolicyArn" => |aws| {
        let name = aws.role("r").await?;
        refused_as(aws.attach(&name, "just-a-name-and-no-arn").send().await, &[(400, "InvalidInput"), (400, "ValidationError")])?;
    }
    "attach-role-arn": "A role's ARN names no policy." @ "API AttachRolePolicy, InvalidInput" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        refused_as(aws.attach(role.role_name(), role.arn()).send().await, &[(400, "InvalidInput"), (400, "ValidationError")])?;
    }
    "attach-aws-managed": "A policy that AWS manages can be attached." @ "API AttachRolePolicy" => |aws| {
        let name = aws.role("r").await?;
        aws.attach(&name, CORE).send().await?;
        same!(aws.attached(&name).await?, [("AmazonSSMManagedInstanceCore".to_owned(), CORE.to_owned())]);
    }
    "attach-aws-managed-missing": "One that AWS does not have can't." @ "API AttachRolePolicy, Errors" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.attach(&name, "arn:aws:iam::aws:policy/AmazonSSMNoSuchPolicy").send().await, 404, "NoSuchEntity")?;
    }
    "attach-ten": "A role has up to 10 managed policies, by default." @ "User Guide: IAM and AWS STS quotas" => |aws| {
        let name = aws.role("r").await?;
        for number in 0..10 {
            let arn = aws.policy(&format!("p{number}")).await?;
            aws.attach(&name, &arn).send().await?;
        }
        same!(aws.attached(&name).await?.len(), 10);
    }
    "attach-eleven": "The eleventh is LimitExceeded, 409." @ "API AttachRolePolicy, Errors" => |aws| {
        let name = aws.role("r").await?;
        for number in 0..10 {
            let arn = aws.policy(&format!("p{number}")).await?;
            aws.attach(&name, &arn).send().await?;
        }
        let arn = aws.policy("p10").await?;
        refused(aws.attach(&name, &arn).send().await, 409, "LimitExceeded")?;
        same!(aws.attached(&name).await?.len(), 10);
    }
    "attach-list-path": "ListAttachedRolePolicies narrows by path." @ "API ListAttachedRolePolicies, PathPrefix" => |aws| {
        let name = aws.role("r").await?;
        let here = aws.create_policy(&aws.name("here")).path(aws.path()).send().await?;
        let here = here.policy.and_then(|policy| policy.arn).ok_or("no ARN")?;
        aws.attach(&name, &here).send().await?;
        aws.attach(&name, &aws.policy("there").await?).send().await?;
        let answer = aws.iam.list_attached_role_policies().role_name(&name).path_prefix(aws.path()).send().await?;
        same!(answer.attached_policies().len(), 1);
        same!(answer.attached_policies()[0].policy_arn(), Some(here.as_str()));
    }
    "attach-list-no-role": "ListAttachedRolePolicies of a role that is not there is NoSuchEntity." @ "API ListAttachedRolePolicies, Errors" => |aws| {
        refused(aws.iam.list_attached_role_policies().role_name(aws.name("r")).send().await, 404, "NoSuchEntity")?;
    }
    "detach": "A detached policy is attached no more." @ "API DetachRolePolicy" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        aws.attach(&name, &arn).send().await?;
        aws.iam.detach_role_policy().role_name(&name).policy_arn(&arn).send().await?;
        hold!(aws.attached(&name).await?.is_empty());
        same!(aws.get_policy(&arn).await?.attachment_count(), Some(0));
    }
    "detach-absent": "Detaching what is not attached is NoSuchEntity." @ "API DetachRolePolicy, Errors" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        refused(aws.iam.detach_role_policy().role_name(&name).policy_arn(&arn).send().await, 404, "NoSuchEntity")?;
    }
    "detach-twice": "Detaching twice is NoSuchEntity the second time." @ "API DetachRolePolicy, Errors" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        aws.attach(&name, &arn).send().await?;
        let detach = || aws.iam.detach_role_policy().role_name(&name).policy_arn(&arn).send();
        detach().await?;
        refused(detach().await, 404, "NoSuchEntity")?;
    }
    "detach-no-role": "Detaching from a role that is not there is NoSuchEntity." @ "API DetachRolePolicy, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.iam.detach_role_policy().role_name(aws.name("r")).policy_arn(&arn).send().await, 404, "NoSuchEntity")?;
    }
    "count-two-roles": "AttachmentCount counts every entity." @ "API Policy, AttachmentCount" => |aws| {
        let arn = aws.policy("p").await?;
        for role in ["r1", "r2"] {
            aws.attach(&aws.role(role).await?, &arn).send().await?;
        }
        same!(aws.get_policy(&arn).await?.attachment_count(), Some(2));
    }
    "count-boundary": "Use as a boundary counts apart from attachments." @ "API Policy, PermissionsBoundaryUsageCount" => |aws| {
        let arn = aws.policy("p").await?;
        aws.create_role(&aws.name("r")).permissions_boundary(&arn).send().await?;
        let policy = aws.get_policy(&arn).await?;
        same!(policy.permissions_boundary_usage_count(), Some(1));
        same!(policy.attachment_count(), Some(0));
    }
    "entities": "ListEntitiesForPolicy names the roles a policy is attached to, with their ids." @ "API ListEntitiesForPolicy" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        aws.attach(&name, &arn).send().await?;
        let answer = aws.iam.list_entities_for_policy().policy_arn(&arn).send().await?;
        let id = aws.get_role(&name).await?.role_id;
        same!(answer.policy_roles().len(), 1);
        same!(answer.policy_roles()[0].role_name(), Some(name.as_str()));
        same!(answer.policy_roles()[0].role_id(), Some(id.as_str()));
        hold!(answer.policy_users().is_empty() && answer.policy_groups().is_empty());
    }
    "entities-boundary": "ListEntitiesForPolicy tells boundary uses when asked for them." @ "API ListEntitiesForPolicy, PolicyUsageFilter" => |aws| {
        let arn = aws.policy("p").await?;
        aws.create_role(&aws.name("bounded")).permissions_boundary(&arn).send().await?;
        aws.attach(&aws.role("attached").await?, &arn).send().await?;
        for (usage, role) in [(PolicyUsageType::PermissionsBoundary, "bounded"), (PolicyUsageType::PermissionsPolicy, "attached")] {
            let answer = aws.iam.list_entities_for_policy().policy_arn(&arn).policy_usage_filter(usage).send().await?;
            let names: Vec<_> = answer.policy_roles().iter().filter_map(|r| r.role_name()).collect();
            same!(names, [aws.name(role)]);
        }
    }
    "entities-all-uses": "Without a filter it tells both uses." @ "API ListEntitiesForPolicy, PolicyUsageFilter" => |aws| {
        let arn = aws.policy("p").await?;
        aws.create_role(&aws.name("bounded")).permissions_boundary(&arn).send().await?;
        aws.attach(&aws.role("attached").await?, &arn).send().await?;
        let answer = aws.iam.list_entities_for_policy().policy_arn(&arn).send().await?;
        same!(answer.policy_roles().len(), 2);
    }
    "entities-missing": "ListEntitiesForPolicy of what is not there is NoSuchEntity." @ "API ListEntitiesForPolicy, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.iam.list_entities_for_policy().policy_arn(format!("{arn}-gone")).send().await, 404, "NoSuchEntity")?;
    }
}
