//! Roles: names, paths, numbers, life and death, boundaries. Does IO.

use crate::support::{hold, invalid, refused, refused_as, rows, same, tag};

rows! {
    "role-arn": "A role's ARN holds its path and name." @ "User Guide: IAM identifiers" => |aws| {
        let name = aws.name("r");
        let answer = aws.create_role(&name).path(aws.path()).send().await?;
        let role = answer.role.ok_or("no role")?;
        same!(role.role_name(), name);
        same!(role.path(), aws.path());
        hold!(role.arn().ends_with(&format!(":role{}{name}", aws.path())));
        hold!(role.arn().starts_with("arn:aws:iam::"));
    }
    "role-id": "A role's unique id starts with AROA and has 21 characters." @ "User Guide: IAM identifiers, unique ID prefixes" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        hold!(role.role_id().starts_with("AROA"));
        same!(role.role_id().len(), 21);
        hold!(role.role_id().chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()));
    }
    "role-default-path": "The path defaults to a slash." @ "API CreateRole, Path" => |aws| {
        same!(aws.get_role(&aws.role("r").await?).await?.path(), "/");
    }
    "role-default-session": "The longest session defaults to one hour." @ "API CreateRole, MaxSessionDuration" => |aws| {
        same!(aws.get_role(&aws.role("r").await?).await?.max_session_duration(), Some(3600));
    }
    "role-create-date": "A role says when it was created, in ISO 8601." @ "API Role, CreateDate" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        hold!(role.create_date().secs().abs_diff(i64::try_from(now)?) < 60);
    }
    "role-exists": "A second role of the same name is EntityAlreadyExists, 409." @ "API CreateRole, Errors" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.create_role(&name).send().await, 409, "EntityAlreadyExists")?;
    }
    "role-exists-other-case": "Names are not distinguished by case." @ "API CreateRole, RoleName" => |aws| {
        let name = aws.role("role").await?;
        refused(aws.create_role(&name.to_uppercase()).send().await, 409, "EntityAlreadyExists")?;
    }
    "role-exists-other-path": "Names are unique within the account, whatever the path." @ "User Guide: IAM identifiers, friendly names and paths" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.create_role(&name).path(aws.path()).send().await, 409, "EntityAlreadyExists")?;
    }
    "role-name-64": "A role's name has up to 64 characters." @ "API Role, RoleName" => |aws| {
        aws.create_role(&aws.long_name(64)).send().await?;
    }
    "role-name-65": "A role's name has at most 64 characters." @ "API Role, RoleName" => |aws| {
        invalid(aws.create_role(&aws.long_name(65)).send().await)?;
    }
    "role-name-empty": "A role's name has at least one character." @ "API Role, RoleName" => |aws| {
        invalid(aws.create_role("").send().await)?;
    }
    "role-name-signs": "Names may hold _+=,.@- besides letters and digits." @ "API CreateRole, RoleName" => |aws| {
        let name = aws.name("_+=,.@-");
        aws.create_role(&name).send().await?;
        same!(aws.get_role(&name).await?.role_name(), name);
    }
    "role-name-space": "Names hold no spaces." @ "API CreateRole, RoleName" => |aws| {
        invalid(aws.create_role(&aws.name("a b")).send().await)?;
    }
    "role-name-slash": "Names hold no slashes." @ "API CreateRole, RoleName" => |aws| {
        invalid(aws.create_role(&aws.name("a/b")).send().await)?;
    }
    "role-name-unicode": "Names hold no letters beyond ASCII." @ "User Guide: IAM and AWS STS quotas, name requirements" => |aws| {
        invalid(aws.create_role(&aws.name("ä")).send().await)?;
    }
    "role-path-open": "A path ends with a slash." @ "API CreateRole, Path" => |aws| {
        invalid(aws.create_role(&aws.name("r")).path("/open").send().await)?;
    }
    "role-path-relative": "A path begins with a slash." @ "API CreateRole, Path" => |aws| {
        invalid(aws.create_role(&aws.name("r")).path("relative/").send().await)?;
    }
    "role-path-space": "A path holds no spaces." @ "API CreateRole, Path" => |aws| {
        invalid(aws.create_role(&aws.name("r")).path("/a b/").send().await)?;
    }
    "role-path-512": "A path has up to 512 characters." @ "API CreateRole, Path" => |aws| {
        let path = format!("/{}/", "p".repeat(510));
        aws.create_role(&aws.name("r")).path(&path).send().await?;
        same!(aws.get_role(&aws.name("r")).await?.path(), path);
    }
    "role-path-513": "A path has at most 512 characters." @ "API CreateRole, Path" => |aws| {
        let path = format!("/{}/", "p".repeat(511));
        invalid(aws.create_role(&aws.name("r")).path(path).send().await)?;
    }
    "role-description": "GetRole answers the description." @ "API Role, Description" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).description("for <us> & \"them\"").send().await?;
        same!(aws.get_role(&name).await?.description(), Some("for <us> & \"them\""));
    }
    "role-description-1000": "A description has up to 1,000 characters, line feeds and Latin-1 among them." @ "API Role, Description" => |aws| {
        let description = format!("{}\n\té", "d".repeat(997));
        let name = aws.name("r");
        aws.create_role(&name).description(&description).send().await?;
        same!(aws.get_role(&name).await?.description(), Some(description.as_str()));
    }
    "role-description-1001": "A description has at most 1,000 characters." @ "API Role, Description" => |aws| {
        invalid(aws.create_role(&aws.name("r")).description("d".repeat(1001)).send().await)?;
    }
    "role-description-emoji": "A description holds nothing beyond Latin-1." @ "API Role, Description" => |aws| {
        invalid(aws.create_role(&aws.name("r")).description("\u{1f980}").send().await)?;
    }
    "role-session-43200": "The longest session is up to 12 hours." @ "API CreateRole, MaxSessionDuration" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).max_session_duration(43200).send().await?;
        same!(aws.get_role(&name).await?.max_session_duration(), Some(43200));
    }
    "role-session-3599": "The longest session is at least one hour." @ "API CreateRole, MaxSessionDuration" => |aws| {
        invalid(aws.create_role(&aws.name("r")).max_session_duration(3599).send().await)?;
    }
    "role-session-43201": "The longest session is at most 12 hours." @ "API CreateRole, MaxSessionDuration" => |aws| {
        invalid(aws.create_role(&aws.name("r")).max_session_duration(43201).send().await)?;
    }
    "role-create-tags": "CreateRole answers the tags of the new role." @ "API CreateRole, Response Elements" => |aws| {
        let answer = aws.create_role(&aws.name("r")).tags(tag("k", "v")).send().await?;
        let role = answer.role.ok_or("no role")?;
        same!(role.tags(), [tag("k", "v")]);
    }
    "role-missing": "GetRole of what is not there is NoSuchEntity, 404." @ "API GetRole, Errors" => |aws| {
        refused(aws.iam.get_role().role_name(aws.name("r")).send().await, 404, "NoSuchEntity")?;
    }
    "role-other-case": "A role is found by its name in any case, and answered in its own." @ "User Guide: IAM and AWS STS quotas, name requirements" => |aws| {
        let name = aws.role("Role").await?;
        same!(aws.get_role(&name.to_lowercase()).await?.role_name(), name);
    }
    "role-never-used": "RoleLastUsed of a role that was never used holds no date." @ "API RoleLastUsed" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        hold!(role.role_last_used().is_none_or(|used| used.last_used_date().is_none()));
    }
    "role-delete": "A deleted role is gone." @ "API DeleteRole" => |aws| {
        let name = aws.role("r").await?;
        aws.iam.delete_role().role_name(&name).send().await?;
        refused(aws.iam.get_role().role_name(&name).send().await, 404, "NoSuchEntity")?;
    }
    "role-delete-missing": "DeleteRole of what is not there is NoSuchEntity." @ "API DeleteRole, Errors" => |aws| {
        refused(aws.iam.delete_role().role_name(aws.name("r")).send().await, 404, "NoSuchEntity")?;
    }
    "role-delete-attached": "A role with attached policies can't be deleted." @ "API DeleteRole" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        aws.attach(&name, &arn).send().await?;
        refused(aws.iam.delete_role().role_name(&name).send().await, 409, "DeleteConflict")?;
        aws.get_role(&name).await?;
    }
    "role-delete-inline": "A role with inline policies can't be deleted." @ "API DeleteRole" => |aws| {
        let name = aws.role("r").await?;
        aws.put(&name, "inline").send().await?;
        refused(aws.iam.delete_role().role_name(&name).send().await, 409, "DeleteConflict")?;
    }
    "role-delete-in-profile": "A role in an instance profile can't be deleted." @ "API DeleteRole" => |aws| {
        let name = aws.role_in_profile("r").await?;
        refused(aws.iam.delete_role().role_name(&name).send().await, 409, "DeleteConflict")?;
    }
    "role-again-new-id": "A role created again has another unique id." @ "User Guide: IAM identifiers, unique identifiers" => |aws| {
        let name = aws.role("r").await?;
        let first = aws.get_role(&name).await?;
        aws.iam.delete_role().role_name(&name).send().await?;
        aws.create_role(&name).send().await?;
        let second = aws.get_role(&name).await?;
        same!(first.arn(), second.arn());
        hold!(first.role_id() != second.role_id());
    }
    "role-update": "UpdateRole sets description and longest session." @ "API UpdateRole" => |aws| {
        let name = aws.role("r").await?;
        aws.iam.update_role().role_name(&name).description("new").max_session_duration(7200).send().await?;
        let role = aws.get_role(&name).await?;
        same!(role.description(), Some("new"));
        same!(role.max_session_duration(), Some(7200));
    }
    "role-update-no-session": "UpdateRole without a session duration may put the default back (strict choice: it does)." @ "API UpdateRole, MaxSessionDuration: default value if none is specified" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).max_session_duration(7200).send().await?;
        aws.iam.update_role().role_name(&name).description("kept").send().await?;
        same!(aws.get_role(&name).await?.max_session_duration(), Some(3600));
    }
    "role-update-no-description": "UpdateRole without a description may lose the old one (strict choice: it does)." @ "API UpdateRole, Description: the new description" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).description("old").send().await?;
        aws.iam.update_role().role_name(&name).max_session_duration(7200).send().await?;
        same!(aws.get_role(&name).await?.description(), None);
    }
    "role-update-missing": "UpdateRole of what is not there is NoSuchEntity." @ "API UpdateRole, Errors" => |aws| {
        refused(aws.iam.update_role().role_name(aws.name("r")).description("d").send().await, 404, "NoSuchEntity")?;
    }
    "role-update-session-3599": "UpdateRole holds the same bounds as CreateRole." @ "API UpdateRole, MaxSessionDuration" => |aws| {
        let name = aws.role("r").await?;
        invalid(aws.iam.update_role().role_name(&name).max_session_duration(3599).send().await)?;
    }
    "role-update-keeps-rest": "UpdateRole leaves id, path, trust and tags alone." @ "API UpdateRole" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).path(aws.path()).tags(tag("k", "v")).send().await?;
        let before = aws.get_role(&name).await?;
        aws.iam.update_role().role_name(&name).description("d").max_session_duration(3600).send().await?;
        let after = aws.get_role(&name).await?;
        same!(before.role_id(), after.role_id());
        same!(before.path(), after.path());
        same!(before.tags(), after.tags());
        same!(before.assume_role_policy_document(), after.assume_role_policy_document());
    }
    "role-update-description": "UpdateRoleDescription changes it and answers the role." @ "API UpdateRoleDescription" => |aws| {
        let name = aws.role("r").await?;
        let answer = aws.iam.update_role_description().role_name(&name).description("new").send().await?;
        same!(answer.role().and_then(|role| role.description()), Some("new"));
    }
    "boundary-create": "A boundary can be set with the role, and GetRole answers it." @ "API CreateRole, PermissionsBoundary" => |aws| {
        let (name, arn) = (aws.name("r"), aws.policy("b").await?);
        aws.create_role(&name).permissions_boundary(&arn).send().await?;
        let role = aws.get_role(&name).await?;
        let boundary = role.permissions_boundary().ok_or("no boundary")?;
        same!(boundary.permissions_boundary_arn(), Some(arn.as_str()));
        let kind = boundary.permissions_boundary_type().map(aws_sdk_iam::types::PermissionsBoundaryAttachmentType::as_str);
        hold!(matches!(kind, Some("Policy" | "PermissionsBoundaryPolicy")));
    }
    "boundary-missing": "A boundary has to be a policy that exists." @ "API PutRolePermissionsBoundary, Errors" => |aws| {
        let arn = format!("{}-gone", aws.policy("b").await?);
        refused(aws.create_role(&aws.name("r")).permissions_boundary(&arn).send().await, 404, "NoSuchEntity")?;
        refused(aws.iam.get_role().role_name(aws.name("r")).send().await, 404, "NoSuchEntity")?;
    }
    "boundary-put-missing": "A boundary put on a role has to be a policy that exists." @ "API PutRolePermissionsBoundary, Errors" => |aws| {
        let (name, arn) = (aws.role("r").await?, format!("{}-gone", aws.policy("b").await?));
        refused(aws.iam.put_role_permissions_boundary().role_name(&name).permissions_boundary(&arn).send().await, 404, "NoSuchEntity")?;
    }
    "boundary-put": "PutRolePermissionsBoundary sets and replaces the boundary." @ "API PutRolePermissionsBoundary" => |aws| {
        let (name, one, two) = (aws.role("r").await?, aws.policy("b1").await?, aws.policy("b2").await?);
        for arn in [&one, &two] {
            aws.iam.put_role_permissions_boundary().role_name(&name).permissions_boundary(arn).send().await?;
            let role = aws.get_role(&name).await?;
            same!(role.permissions_boundary().and_then(|b| b.permissions_boundary_arn()), Some(arn.as_str()));
        }
    }
    "boundary-put-no-role": "A boundary needs a role that exists." @ "API PutRolePermissionsBoundary, Errors" => |aws| {
        let arn = aws.policy("b").await?;
        refused(aws.iam.put_role_permissions_boundary().role_name(aws.name("r")).permissions_boundary(&arn).send().await, 404, "NoSuchEntity")?;
    }
    "boundary-delete": "DeleteRolePermissionsBoundary removes it." @ "API DeleteRolePermissionsBoundary" => |aws| {
        let (name, arn) = (aws.name("r"), aws.policy("b").await?);
        aws.create_role(&name).permissions_boundary(&arn).send().await?;
        aws.iam.delete_role_permissions_boundary().role_name(&name).send().await?;
        hold!(aws.get_role(&name).await?.permissions_boundary().is_none());
    }
    "boundary-not-a-policy": "A boundary is the ARN of a managed policy, not of a role." @ "API PutRolePermissionsBoundary, PermissionsBoundary" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        refused_as(
            aws.iam.put_role_permissions_boundary().role_name(role.role_name()).permissions_boundary(role.arn()).send().await,
            &[(400, "InvalidInput"), (400, "ValidationError")],
        )?;
    }
    "boundary-aws-managed": "A boundary can be a policy that AWS manages." @ "User Guide: Permissions boundaries for IAM entities" => |aws| {
        let (name, arn) = (aws.name("r"), "arn:aws:iam::aws:policy/PowerUserAccess");
        aws.create_role(&name).permissions_boundary(arn).send().await?;
        let role = aws.get_role(&name).await?;
        same!(role.permissions_boundary().and_then(|b| b.permissions_boundary_arn()), Some(arn));
    }
    "caller-identity": "GetCallerIdentity answers the account of the caller." @ "STS API GetCallerIdentity" => |aws| {
        let caller = aws.sts.get_caller_identity().send().await?;
        let role = aws.get_role(&aws.role("r").await?).await?;
        same!(role.arn().split(':').nth(4), caller.account());
        hold!(caller.arn().is_some_and(|arn| arn.starts_with("arn:aws:")));
    }
}
