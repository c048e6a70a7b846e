//! What is written in a spec, each text against its form and each ARN and region against the account's
//! partition or account. In: spec, names and account; out: problems. No IO. The CRD's rules refuse the
//! same forms, but an object may be older than they are, and what is said here enters documents and
//! ARNs.

use smr_api::forms::{self, Form};
use smr_api::{SessionManagerRoleSpec, Tags};

use super::{Problems, form};
use crate::account::{Account, Partition};
use crate::names::Names;

/// Bounds of `spec.role.maxSessionDurationSeconds`.
const DURATION: std::ops::RangeInclusive<i32> = 3600..=43200;
/// How many items `spec.additionalPolicyArns` and `spec.hybrid.regions` may have.
const ARNS_MAX: usize = 24;
const REGIONS_MAX: usize = 20;

pub(super) fn check(
    spec: &SessionManagerRoleSpec,
    names: &Names,
    account: &Account,
    problems: &mut Problems,
) {
    for (field, form, text) in texts(spec, names) {
        has_form(field, form, text, problems);
    }
    for (field, arn) in key_arns(spec) {
        if has_form(field, &forms::KEY_ARN, arn, problems) {
            in_partition(field, arn, account, problems);
        }
    }
    for (field, arn) in policy_arns(spec) {
        if has_form(&field, &forms::POLICY_ARN, arn, problems)
            && let Some(problem) = account.refuses_policy(arn)
        {
            problems.add(field, problem);
        }
    }
    for (field, tags) in all_tags(spec) {
        tags_of(field, tags, problems);
    }
    regions(spec, account, problems);
    bounds(spec, problems);
}

type Text<'a> = (&'static str, &'static Form, &'a str);

/// Names and path as they will be used: what was recorded at the creation goes before spec. Policy
/// and profile get the role's name where spec gives none.
fn texts<'a>(spec: &'a SessionManagerRoleSpec, names: &'a Names) -> impl Iterator<Item = Text<'a>> {
    let role = spec.role.as_ref().and_then(|r| r.description.as_deref());
    let policy = spec.policy.as_ref().and_then(|p| p.description.as_deref());
    let logs = spec.session_logs.as_ref();
    let s3 = logs.and_then(|l| l.s3.as_ref());
    let group = logs
        .and_then(|l| l.cloud_watch.as_ref())
        .and_then(|c| c.log_group_name.as_deref());
    let own = |name: &'a String| (*name != names.role).then_some(name.as_str());
    let (policy_name, profile_name) = (own(&names.policy), own(&names.instance_profile));
    let written: [(&'static str, &'static Form, Option<&'a str>); 10] = [
        ("spec.path", &forms::PATH, Some(&names.path)),
        ("spec.role.name", &forms::ROLE_NAME, Some(&names.role)),
        ("spec.policy.name", &forms::NAME, policy_name),
        ("spec.instanceProfile.name", &forms::NAME, profile_name),
        ("spec.role.description", &forms::DESCRIPTION, role),
        ("spec.policy.description", &forms::DESCRIPTION, policy),
        (
            "spec.sessionLogs.s3.bucket",
            &forms::BUCKET,
            s3.map(|l| l.bucket.as_str()),
        ),
        (
            "spec.sessionLogs.s3.keyPrefix",
            &forms::KEY_PREFIX,
            s3.and_then(|l| l.key_prefix.as_deref()),
        ),
        (
            "spec.sessionLogs.s3.bucketOwnerAccountId",
            &forms::ACCOUNT_ID,
            s3.and_then(|l| l.bucket_owner_account_id.as_deref()),
        ),
        (
            "spec.sessionLogs.cloudWatch.logGroupName",
            &forms::LOG_GROUP,
            group,
        ),
    ];
    let written = written.into_iter();
    written.filter_map(|(field, form, text)| Some((field, form, text?)))
}

fn key_arns(spec: &SessionManagerRoleSpec) -> impl Iterator<Item = (&'static str, &str)> {
    let session = spec.session_encryption.as_ref();
    let s3 = spec.session_logs.as_ref().and_then(|l| l.s3.as_ref());
    let all = [
        (
            "spec.sessionEncryption.kmsKeyArn",
            session.map(|e| e.kms_key_arn.as_str()),
        ),
        (
            "spec.sessionLogs.s3.kmsKeyArn",
            s3.and_then(|l| l.kms_key_arn.as_deref()),
        ),
    ];
    all.into_iter()
        .filter_map(|(field, arn)| Some((field, arn?)))
}

fn policy_arns(spec: &SessionManagerRoleSpec) -> impl Iterator<Item = (String, &str)> {
    let role = spec.role.as_ref();
    let boundary = role.and_then(|r| r.permissions_boundary_arn.as_deref());
    let boundary = boundary.map(|arn| ("spec.role.permissionsBoundaryArn".to_owned(), arn));
    let listed = spec.additional_policy_arns.iter().flatten().enumerate();
    let listed = listed.map(|(index, arn)| {
        let field = format!("spec.additionalPolicyArns[{index}]");
        (field, arn.as_str())
    });
    boundary.into_iter().chain(listed)
}

fn all_tags(spec: &SessionManagerRoleSpec) -> impl Iterator<Item = (&'static str, &Tags)> {
    let role = spec.role.as_ref().and_then(|r| r.tags.as_ref());
    let policy = spec.policy.as_ref().and_then(|p| p.tags.as_ref());
    let profile = spec.instance_profile.as_ref();
    let profile = profile.and_then(|p| p.tags.as_ref());
    let all = [
        ("spec.tags", spec.tags.as_ref()),
        ("spec.role.tags", role),
        ("spec.policy.tags", policy),
        ("spec.instanceProfile.tags", profile),
    ];
    all.into_iter()
        .filter_map(|(field, tags)| Some((field, tags?)))
}

fn has_form(field: &str, form: &Form, text: &str, problems: &mut Problems) -> bool {
    let wrong = form::wrong(form, text);
    let fits = wrong.is_none();
    if let Some(problem) = wrong {
        problems.add(field, problem);
    }
    fits
}

/// The partition of a key's ARN, and of the region in it, is the account's.
fn in_partition(field: &str, arn: &str, account: &Account, problems: &mut Problems) {
    let mut parts = arn.split(':').skip(1);
    let (partition, _service, region) = (parts.next(), parts.next(), parts.next());
    let partition = partition.unwrap_or_default();
    if partition == account.partition.as_str() {
        region_in_partition(field, region.unwrap_or_default(), account, problems);
    } else {
        problems.add(
            field,
            format!(
                "the ARN lies in partition {partition}, the role in {}: use an ARN of {}",
                account.partition, account.partition
            ),
        );
    }
}

fn region_in_partition(field: &str, region: &str, account: &Account, problems: &mut Problems) {
    match Partition::of_region(region) {
        Ok(partition) if partition == account.partition => {}
        Ok(partition) => problems.add(
            field,
            format!(
                "{region} is a region of partition {partition}, the role lies in {}: use a region of {}",
                account.partition, account.partition
            ),
        ),
        Err(error) => problems.add(field, error.to_string()),
    }
}

fn tags_of(field: &str, tags: &Tags, problems: &mut Problems) {
    for (key, value) in tags {
        if let Some(problem) = form::wrong(&forms::TAG_KEY, key) {
            problems.add(field, format!("the key '{}' {problem}", key.escape_debug()));
        }
        if let Some(problem) = form::wrong(&forms::TAG_VALUE, value) {
            let key = key.escape_debug();
            problems.add(field, format!("the value of '{key}' {problem}"));
        }
        if forms::is_reserved_tag_key(key) {
            problems.add(
                field,
                format!(
                    "the key {key} can't start with {} as these belong to the controller and to AWS: choose another key",
                    forms::RESERVED_TAG_PREFIXES.join(" or ")
                ),
            );
        }
    }
    at_most(
        field,
        tags.len(),
        usize::try_from(forms::TAGS_MAX).unwrap_or(usize::MAX),
        problems,
    );
}

fn regions(spec: &SessionManagerRoleSpec, account: &Account, problems: &mut Problems) {
    const FIELD: &str = "spec.hybrid.regions";
    let Some(regions) = spec.hybrid.as_ref().and_then(|h| h.regions.as_ref()) else {
        return;
    };
    for (index, region) in regions.iter().enumerate() {
        let field = format!("{FIELD}[{index}]");
        if has_form(&field, &forms::REGION, region, problems) {
            region_in_partition(&field, region, account, problems);
        }
    }
    if regions.is_empty() {
        problems.add(
            FIELD,
            "is empty: name a region, or leave the field out for any region",
        );
    }
    at_most(FIELD, regions.len(), REGIONS_MAX, problems);
}

fn bounds(spec: &SessionManagerRoleSpec, problems: &mut Problems) {
    let arns = spec.additional_policy_arns.as_ref().map_or(0, Vec::len);
    at_most("spec.additionalPolicyArns", arns, ARNS_MAX, problems);
    let role = spec.role.as_ref();
    if let Some(seconds) = role
        .and_then(|r| r.max_session_duration_seconds)
        .filter(|seconds| !DURATION.contains(seconds))
    {
        problems.add(
            "spec.role.maxSessionDurationSeconds",
            format!(
                "is {seconds}, must lie between {} and {}",
                DURATION.start(),
                DURATION.end()
            ),
        );
    }
}

fn at_most(field: &str, found: usize, max: usize, problems: &mut Problems) {
    if found > max {
        problems.add(
            field,
            format!("has {found} entries, may have at most {max}: remove some"),
        );
    }
}
