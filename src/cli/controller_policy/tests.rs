//! What `smr controller-policy` prints and refuses.

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(more: &[&str]) -> Args {
    let common = ["smr", "--account-id=111122223333", "--cluster-name=prod"];
    Line::try_parse_from(common.iter().chain(more))
        .unwrap()
        .args
}

const BOUNDARY: &str =
    "--permissions-boundary-arn=arn:aws:iam::111122223333:policy/session-manager-boundary";

#[test]
fn it_fits_iams_limit() {
    let additional = "--additional-policy-arn=arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy";
    let adopted: Vec<String> = ["role", "policy", "instance-profile"]
        .map(|kind| format!("--adopt-arn=arn:aws:iam::111122223333:{kind}/legacy/web-fleet"))
        .to_vec();
    let adopting = [BOUNDARY, additional, &adopted[0], &adopted[1], &adopted[2]];
    let uid = "--cluster-uid=3f2504e0-4f89-11d3-9a0c-0305e82c3301";
    let keys = "--tag-key=team,cost-center,environment,owner";
    let tight = "--permissions-boundary-arn=arn:aws:iam::111122223333:policy/session-manager-boundary-tight";
    let wide =
        "--permissions-boundary-arn=arn:aws:iam::111122223333:policy/session-manager-boundary-wide";
    let paths = "--path=/session-manager/production/,/session-manager-wide/production/";
    // Where one is too large, in parts.
    for flags in [
        &[BOUNDARY, uid, keys, additional, &adopted[0], &adopted[1]][..],
        &[tight, wide, paths, uid, keys, additional],
    ] {
        let whole = args(flags).policy().unwrap();
        let error = args(flags).one_document().unwrap_err().to_string();
        assert!(
            error.contains("in 2 parts, from --part 1 to --part 2"),
            "{error}"
        );
        let part = |number: &str| {
            let part = args(&[flags, &[&format!("--part={number}")]].concat());
            part.one_document()
        };
        let (first, second) = (part("1").unwrap(), part("2").unwrap());
        assert!(first.size().max(second.size()) <= MANAGED_POLICY_MAX);
        assert_eq!(
            [first.statements, second.statements].concat(),
            whole.statements
        );
        let error = part("3").unwrap_err().to_string();
        assert!(
            error.contains("--part: the policy has no more than 2"),
            "{error}"
        );
    }
    // A template attaches all of them.
    let adopting_all = [
        &[BOUNDARY, uid, keys, additional, EKS][..],
        &[&adopted[0], &adopted[1]],
    ];
    let template = args(&adopting_all.concat()).template().unwrap();
    let name = &template["Resources"]["ControllerPolicy2"]["Properties"]["ManagedPolicyName"];
    assert_eq!(name["Fn::Sub"], "${RoleName}-2");
    let attached = &template["Resources"]["ControllerRole"]["Properties"]["ManagedPolicyArns"];
    assert_eq!(attached[1]["Ref"], "ControllerPolicy2");
    for flags in [
        &[BOUNDARY, uid, keys, additional][..],
        &[BOUNDARY],
        &["--without-boundary"],
        &[BOUNDARY, additional, "--path=/session-manager/,/team/"],
        &adopting,
    ] {
        let size = args(flags).policy().unwrap().size();
        assert!(size <= MANAGED_POLICY_MAX, "{flags:?}: {size}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_way_out() {
    let adopted: Vec<String> = (0..60)
        .map(|n| format!("--adopt-arn=arn:aws:iam::111122223333:role/legacy/web-{n}"))
        .collect();
    let mut flags = vec![BOUNDARY];
    flags.extend(adopted.iter().map(String::as_str));
    let error = run(&args(&flags)).unwrap_err().to_string();
    assert!(error.contains("AWS takes 6144: "), "{error}");
}

#[test]
fn arns_that_are_none_are_refused() {
    for (flags, words) in [
        (
            &["--adopt-arn=arn:aws:iam::111122223333:role/legacy/*"][..],
            "the full ARN",
        ),
        (
            &["--adopt-arn=arn:aws:iam::999900001111:role/legacy/a"],
            "of account 111122223333",
        ),
        (
            &["--additional-policy-arn=ReadOnlyAccess"],
            "is not the ARN of managed policies",
        ),
        (&["--path=/a"], "must begin and end with /"),
    ] {
        let flags = [&[BOUNDARY][..], flags].concat();
        let error = args(&flags).policy().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_boundary_that_iam_does_not_attach_is_refused() {
    for (arn, words) in [
        ("arn:aws:iam::111122223333:policy/*", "can't have '*'"),
        (
            "arn:aws:iam::111122223333:policy/",
            "must be a managed policy's ARN",
        ),
        ("arn:aws:s3:::policy/x", "must be a managed policy's ARN"),
        (
            "arn:aws:iam::999900001111:policy/x",
            "belongs to account 999900001111",
        ),
        (
            "arn:aws-cn:iam::111122223333:policy/x",
            "lies in partition aws-cn",
        ),
    ] {
        let boundary = format!("--permissions-boundary-arn={arn}");
        let error = args(&[&boundary]).policy().unwrap_err().to_string();
        assert!(
            error.starts_with("--permissions-boundary-arn: ") && error.contains(words),
            "{error}"
        );
    }
}

#[test]
fn in_china_ec2_has_two_names() {
    let boundary = BOUNDARY.replace("arn:aws:", "arn:aws-cn:");
    let policy = args(&[&boundary, "--partition=aws-cn"])
        .policy()
        .unwrap()
        .to_json();
    assert!(policy.contains("ec2.amazonaws.com.cn") && policy.contains("arn:aws-cn:iam::"));
}

#[test]
fn only_the_controllers_service_account_is_trusted() {
    let irsa = args(&[
        "--document=trust",
        "--oidc-provider=https://oidc.example/id/1/",
    ]);
    let irsa = irsa.trust().unwrap().to_json();
    for part in [
        "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/1\"",
        "\"oidc.example/id/1:aud\"",
        "system:serviceaccount:session-manager-role:session-manager-role",
    ] {
        assert!(irsa.contains(part), "{part} not in {irsa}");
    }
    let wrong = args(&["--document=trust", "--service-account=one"])
        .trust()
        .unwrap_err();
    assert!(wrong.to_string().contains("NAMESPACE/NAME"));
}

/// The documents of a template, in the order policy, boundary, trust.
fn of_template(template: &serde_json::Value) -> [serde_json::Value; 3] {
    let properties = |name: &str| template["Resources"][name]["Properties"].clone();
    [
        properties("ControllerPolicy")["PolicyDocument"].clone(),
        properties("Boundary")["PolicyDocument"].clone(),
        properties("ControllerRole")["AssumeRolePolicyDocument"].clone(),
    ]
}

/// What the program prints for `--document KIND` with the same flags.
fn printed(flags: &[&str], kind: &str) -> serde_json::Value {
    let kind = format!("--document={kind}");
    let document = args(&[flags, &[&kind]].concat()).one_document().unwrap();
    serde_json::from_str(&document.to_json()).unwrap()
}

const EKS: &str = "--eks-cluster=prod";
const OIDC: &str = "--oidc-provider=oidc.example/id/1";

#[test]
fn a_template_has_the_documents_that_are_printed() {
    let more = "--additional-policy-arn=arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy";
    for flags in [
        &[BOUNDARY, EKS][..],
        &[BOUNDARY, OIDC],
        &[BOUNDARY, EKS, "--pod-identity", more, "--path=/a/,/b/"],
        &[BOUNDARY, OIDC, "--service-account=aws/smr"],
    ] {
        let template = args(flags).template().unwrap();
        let all = ["policy", "boundary", "trust"].map(|kind| printed(flags, kind));
        assert_eq!(of_template(&template), all, "{flags:?}");
        let association = &template["Resources"]["PodIdentityAssociation"]["Properties"];
        assert_eq!(association.is_null(), flags.contains(&OIDC), "{flags:?}");
        if !association.is_null() {
            assert_eq!(association["ClusterName"], "prod");
            assert_eq!(association["Namespace"], "session-manager-role");
            assert_eq!(association["ServiceAccount"], "session-manager-role");
        }
    }
}

/// The policy demands the boundary by its ARN: the stack makes it under exactly that, and never
/// takes it away from roles that have it.
#[test]
fn the_boundary_of_a_template_is_the_one_that_the_policy_demands() {
    let boundary = BOUNDARY.replace("policy/", "policy/caps/");
    let template = args(&[&boundary, EKS]).template().unwrap();
    let made = &template["Resources"]["Boundary"];
    assert_eq!(made["Properties"]["Path"], "/caps/");
    let name = &made["Properties"]["ManagedPolicyName"];
    assert_eq!(name, "session-manager-boundary");
    assert_eq!(made["DeletionPolicy"], "RetainExceptOnCreate");
    assert_eq!(made["UpdateReplacePolicy"], "Retain");
    let arn = "arn:aws:iam::111122223333:policy/caps/session-manager-boundary";
    assert_eq!(template["Outputs"]["BoundaryArn"]["Value"], arn);
    let policy = of_template(&template)[0].to_string();
    assert!(policy.contains(arn), "{policy}");
    let template = args(&["--without-boundary"]).template().unwrap();
    assert!(template["Resources"]["Boundary"].is_null());
    assert!(template["Outputs"]["BoundaryArn"].is_null());
}

/// AWS's own policy as the boundary: a policy of that name in the account would be another one.
#[test]
fn a_boundary_that_is_not_the_accounts_is_not_made() {
    let arn = "arn:aws:iam::aws:policy/PowerUserAccess";
    let flags = [&format!("--permissions-boundary-arn={arn}"), EKS];
    let template = args(&flags).template().unwrap();
    assert!(template["Resources"]["Boundary"].is_null());
    assert!(template["Parameters"]["CreateBoundary"].is_null());
    assert!(template["Conditions"].is_null());
    assert_eq!(template["Outputs"]["BoundaryArn"]["Value"], arn);
}

/// IAM can't change them: with another one, CloudFormation could update no stack of an earlier release.
#[test]
fn the_descriptions_of_policies_never_change() {
    let template = args(&[BOUNDARY, EKS]).template().unwrap();
    let of = |name: &str| &template["Resources"][name]["Properties"]["Description"];
    assert_eq!(of("ControllerPolicy"), "What session-manager-role may do");
    assert_eq!(
        of("Boundary"),
        "What a role of a SessionManagerRole can do at most"
    );
}

/// Elsewhere than on EKS, who creates the stack says who the controller is.
#[test]
fn without_eks_the_trusted_principal_is_a_parameter() {
    let template = args(&[BOUNDARY]).template().unwrap();
    let trust = &of_template(&template)[2]["Statement"][0]["Principal"]["AWS"];
    assert_eq!(trust["Ref"], "TrustedPrincipalArn");
    let parameter = &template["Parameters"]["TrustedPrincipalArn"];
    assert!(parameter["Default"].is_null() && parameter["AllowedPattern"].is_string());
}

#[test]
fn flags_that_no_template_takes_are_refused_with_the_way_out() {
    for (flags, words) in [
        (
            &["--document=boundary"][..],
            "--document: a template has the boundary",
        ),
        (&["--pod-identity"], "add --eks-cluster NAME"),
        (
            &["--controller-role-arn=arn:aws:iam::*:role/a"],
            "--controller-role-arn: only the SCP names controllers",
        ),
        (&["--read-only"], "--read-only: a template is for"),
        (&["--part=1"], "--part: a template has all parts"),
        (&["--service-account=one", EKS], "NAMESPACE/NAME"),
        (
            &[
                "--permissions-boundary-arn=arn:aws:iam::111122223333:policy/wide",
                "--path=/a/,/b/",
            ],
            "a template makes one boundary",
        ),
    ] {
        let common = [BOUNDARY, "--format=cloudformation"];
        let error = run(&args(&[&common, flags].concat())).unwrap_err();
        assert!(error.to_string().contains(words), "{flags:?}: {error}");
    }
    let common = ["smr", "--account-id=111122223333", "--cluster-name=prod"];
    for both in [[OIDC, EKS], [OIDC, "--pod-identity"]] {
        let error = Line::try_parse_from(common.iter().chain(&both)).unwrap_err();
        assert!(error.to_string().contains("cannot be used with"), "{error}");
    }
    let error = args(&[]).template().unwrap_err().to_string();
    assert!(error.contains("--permissions-boundary-arn"), "{error}");
}

/// Several boundaries: each is for its path, and no statement lets a role go from one to the other.
#[test]
fn each_of_several_boundaries_is_for_its_own_path() {
    let flags = [
        "--permissions-boundary-arn=arn:aws:iam::111122223333:policy/tight,arn:aws:iam::111122223333:policy/wide",
        "--path=/tight/,/wide/",
    ];
    let policy: serde_json::Value =
        serde_json::from_str(&args(&flags).policy().unwrap().to_json()).unwrap();
    let mut bounded = 0;
    for statement in policy["Statement"].as_array().unwrap() {
        let boundary = &statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"];
        let Some(arn) = boundary[0].as_str() else {
            continue;
        };
        assert_eq!(boundary.as_array().unwrap().len(), 1);
        let path = if arn.ends_with("tight") {
            "/tight/"
        } else {
            "/wide/"
        };
        let roles = json_list(&statement["Resource"]);
        assert_eq!(roles, [format!("arn:aws:iam::111122223333:role{path}*")]);
        bounded += 1;
    }
    assert_eq!(bounded, 4, "{policy}");
}

fn json_list(value: &serde_json::Value) -> Vec<String> {
    let items = value.as_array().unwrap().iter();
    items.map(|v| v.as_str().unwrap().to_owned()).collect()
}

#[test]
fn boundaries_that_do_not_fit_the_paths_are_refused() {
    let two = "--permissions-boundary-arn=arn:aws:iam::111122223333:policy/tight,arn:aws:iam::111122223333:policy/wide";
    for (flags, words) in [
        (&[two][..], "there are 2 boundaries and 1 of --path"),
        (
            &[two, "--path=/a/,/a/b/"],
            "/a/b/ lies below another --path",
        ),
        (
            &[
                two,
                "--path=/a/,/b/",
                "--adopt-arn=arn:aws:iam::111122223333:role/c/x",
            ],
            "lies below none of --path",
        ),
        (&["--document=scp"], "--controller-role-arn: is needed"),
        (
            &[
                "--document=scp",
                "--controller-role-arn=session-manager-role",
            ],
            "is not the ARN of a role",
        ),
        (&[BOUNDARY, "--cluster-uid="], "--cluster-uid: ''"),
        (&[BOUNDARY, "--tag-key=a?b"], "--tag-key: 'a?b'"),
        (
            &[BOUNDARY, "--ec2-only"],
            "--ec2-only: narrows the boundary",
        ),
    ] {
        let error = run(&args(flags)).unwrap_err().to_string();
        assert!(error.contains(words), "{flags:?}: {error}");
    }
}

#[test]
fn a_boundary_is_narrowed_by_what_is_listed() {
    let document = |flags: &[&str]| {
        let flags = [&["--document=boundary"], flags].concat();
        args(&flags).one_document().map(|d| d.to_json())
    };
    let all = document(&[]).unwrap();
    assert!(
        all.contains(r#""aws:ResourceAccount":["111122223333"]"#),
        "{all}"
    );
    let narrow = document(&[
        "--log-bucket=logs-*/team/",
        "--log-bucket=other-logs",
        "--log-group=/ssm/*",
        "--kms-key-arn=arn:aws:kms:eu-central-1:*:key/*",
        "--org-id=o-a1b2c3d4e5",
        "--ec2-only",
    ]);
    let narrow = narrow.unwrap();
    for part in [
        r#"["arn:aws:s3:::logs-*/team/*","arn:aws:s3:::other-logs/*"]"#,
        r#"["arn:aws:logs:*:111122223333:log-group:/ssm/*:*"]"#,
        r#""aws:ResourceOrgID":["o-a1b2c3d4e5"]"#,
        r#"["arn:aws:kms:eu-central-1:*:key/*"]"#,
    ] {
        assert!(narrow.contains(part), "{part} not in {narrow}");
    }
    let value: serde_json::Value = serde_json::from_str(&narrow).unwrap();
    for statement in value["Statement"].as_array().unwrap() {
        let ec2 = &statement["Condition"]["Null"]["ec2:SourceInstanceARN"];
        assert_eq!(ec2[0], "false", "{statement}");
    }
    for (flag, words) in [
        (
            "--log-bucket=arn:aws:s3:::x",
            "must be a bucket's name alone",
        ),
        ("--log-bucket=logs/a?", "can't have *, ? or ${"),
        ("--log-group=arn:aws:logs:x", "must be a log group's name"),
        ("--kms-key-arn=alias/x", "is not the ARN of a key"),
        (
            "--kms-key-arn=arn:aws:kms:eu-central-1:111122223333:alias/x",
            "is not the ARN of a key",
        ),
        ("--org-id=r-abcd", "is not the id of an organization"),
    ] {
        let error = document(&[flag]).unwrap_err().to_string();
        assert!(error.contains(words), "{flag}: {error}");
    }
}
