//! The AWS account and its partition. In: the caller's ARN as STS gives it; out: ARNs and service
//! principals that are right in that partition. No IO.

use std::fmt;

use thiserror::Error;

/// A partition that this program knows. Source: AWS General Reference, "Amazon Resource Names".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// The commercial regions.
    Aws,
    /// The regions in China.
    AwsCn,
    /// AWS GovCloud (US).
    AwsUsGov,
    /// The AWS European Sovereign Cloud.
    AwsEusc,
}

impl Partition {
    /// Every known partition.
    pub const ALL: [Self; 4] = [Self::Aws, Self::AwsCn, Self::AwsUsGov, Self::AwsEusc];

    /// As it stands in ARNs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsEusc => "aws-eusc",
        }
    }

    /// The service principal of EC2 in trust policies. It is not built from the partition's DNS
    /// suffix: `ec2.amazonaws.eu` is refused by IAM.
    pub const fn ec2_principal(self) -> &'static str {
        match self {
            Self::Aws | Self::AwsUsGov | Self::AwsEusc => "ec2.amazonaws.com",
            Self::AwsCn => "ec2.amazonaws.com.cn",
        }
    }

    /// What the names of regional services end with, as `kms:ViaService` has them. Source: AWS General
    /// Reference, "AWS service endpoints". No service principal is built from it.
    pub const fn dns_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::AwsUsGov => "amazonaws.com",
            Self::AwsCn => "amazonaws.com.cn",
            Self::AwsEusc => "amazonaws.eu",
        }
    }

    /// The partition of a region, by the region's form: new regions need no new version.
    pub fn of_region(region: &str) -> Result<Self, RegionError> {
        let parts: Vec<&str> = region.split('-').collect();
        if let Some(partition) = by_form(&parts) {
            return Ok(partition);
        }
        if parts.iter().skip(1).any(|part| part.starts_with("iso")) {
            return Err(RegionError::Isolated(region.to_owned()));
        }
        // Zones begin with their region: us-east-1a, us-west-2-lax-1a, us-east-1-wl1-bos-wlz-1.
        let of_zone = (3..=parts.len()).find_map(|length| {
            let begin = parts[..length].join("-");
            let begin = begin.trim_end_matches(|c: char| c.is_ascii_lowercase());
            let parts: Vec<&str> = begin.split('-').collect();
            by_form(&parts).map(|_| begin.to_owned())
        });
        Err(match of_zone {
            Some(its) => RegionError::Zone {
                zone: region.to_owned(),
                region: its,
            },
            None => RegionError::Form(region.to_owned()),
        })
    }

    /// The region whose endpoint serves IAM for the whole partition, used where none is set.
    pub const fn iam_region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsCn => "cn-north-1",
            Self::AwsUsGov => "us-gov-west-1",
            Self::AwsEusc => "eusc-de-east-1",
        }
    }
}

/// A region's name by its parts, such as `us-gov-west-1`.
fn by_form(parts: &[&str]) -> Option<Partition> {
    const DIRECTIONS: [&str; 9] = [
        "north",
        "south",
        "east",
        "west",
        "central",
        "northeast",
        "northwest",
        "southeast",
        "southwest",
    ];
    let is_area = |area: &str| area.len() == 2 && area.chars().all(|c| c.is_ascii_lowercase());
    let (partition, direction, number) = match parts {
        ["us", "gov", direction, number] => (Partition::AwsUsGov, direction, number),
        ["eusc", country, direction, number] if is_area(country) => {
            (Partition::AwsEusc, direction, number)
        }
        ["cn", direction, number] => (Partition::AwsCn, direction, number),
        [area, direction, number] if is_area(area) => (Partition::Aws, direction, number),
        _ => return None,
    };
    let is_number = (1..=2).contains(&number.len())
        && !number.starts_with('0')
        && number.chars().all(|c| c.is_ascii_digit());
    (is_number && DIRECTIONS.contains(direction)).then_some(partition)
}

/// A text that is no region which can be worked with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegionError {
    /// A region of a partition that is not one of [`Partition::ALL`].
    #[error(
        "{0} lies in an isolated partition, which is not supported: this version knows aws, aws-cn, aws-us-gov and aws-eusc"
    )]
    Isolated(String),
    /// An availability zone, local zone or wavelength zone.
    #[error("{zone} is a zone: write its region, {region}")]
    Zone {
        /// What was given.
        zone: String,
        /// What was meant.
        region: String,
    },
    /// Anything else.
    #[error(
        "'{0}' is no AWS region: write one such as eu-central-1, us-gov-west-1, cn-north-1 or eusc-de-east-1"
    )]
    Form(String),
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A partition or account that can't be worked with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccountError {
    /// The partition is not one of [`Partition::ALL`].
    #[error(
        "the AWS partition {0} is not supported: this version knows aws, aws-cn, aws-us-gov and aws-eusc"
    )]
    UnknownPartition(String),
    /// The text is not an ARN of a caller.
    #[error("{0} is not the ARN of an AWS caller")]
    NotAnArn(String),
}

impl std::str::FromStr for Partition {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|p| p.as_str() == text)
            .ok_or_else(|| AccountError::UnknownPartition(text.to_owned()))
    }
}

/// Stands in ARNs where nobody said which account it is: no account has this id.
pub const UNKNOWN_ACCOUNT: &str = "000000000000";

/// An AWS account in its partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// The partition it lies in.
    pub partition: Partition,
}

/// Whether this is an account's id: twelve digits.
pub fn is_account_id(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())
}

impl Account {
    /// The account of a caller's ARN, such as `arn:aws:sts::111122223333:assumed-role/r/s`.
    pub fn of_caller(arn: &str) -> Result<Self, AccountError> {
        let parsed = Arn::parse(arn).filter(|arn| is_account_id(arn.account));
        let parsed = parsed.ok_or_else(|| AccountError::NotAnArn(arn.to_owned()))?;
        Ok(Self {
            id: parsed.account.to_owned(),
            partition: parsed.partition.parse()?,
        })
    }

    /// Why IAM can't attach the managed policy `arn` here, as permission or as boundary, and what to do.
    pub fn refuses_policy(&self, arn: &str) -> Option<String> {
        let Self { id, partition } = self;
        let arn = Arn::parse(arn)?;
        if arn.partition != partition.as_str() {
            return Some(format!(
                "the ARN lies in partition {}, the role in {partition}: use an ARN of {partition}",
                arn.partition
            ));
        }
        let foreign = arn.account != "aws" && arn.account != *id && id != UNKNOWN_ACCOUNT;
        foreign.then(|| {
            format!(
                "the policy belongs to account {}, the role to {id}: IAM attaches only policies of the role's own account and AWS's own, use one of these",
                arn.account
            )
        })
    }

    /// `arn:P:iam::A:<kind><path><name>`; `path` begins and ends with a slash.
    fn iam_arn(&self, kind: &str, path: &str, name: &str) -> String {
        format!("arn:{}:iam::{}:{kind}{path}{name}", self.partition, self.id)
    }

    /// A role's ARN.
    pub fn role_arn(&self, path: &str, name: &str) -> String {
        self.iam_arn("role", path, name)
    }

    /// A customer managed policy's ARN.
    pub fn policy_arn(&self, path: &str, name: &str) -> String {
        self.iam_arn("policy", path, name)
    }

    /// An instance profile's ARN.
    pub fn instance_profile_arn(&self, path: &str, name: &str) -> String {
        self.iam_arn("instance-profile", path, name)
    }
}

/// The parts of an IAM or STS ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// Such as `aws`.
    pub partition: &'a str,
    /// Twelve digits, or `aws` for AWS's own policies.
    pub account: &'a str,
    /// Such as `role`.
    pub kind: &'a str,
    /// Such as `/session-manager/`; `/` where there is none.
    pub path: &'a str,
    /// The last part.
    pub name: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes an ARN apart; `None` where the text is not one.
    pub fn parse(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let (partition, _service) = (parts.next()?, parts.next()?);
        let (_region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let (kind, rest) = resource.split_at(resource.find('/')?);
        let (path, name) = rest.split_at(rest.rfind('/')? + 1);
        Some(Self {
            partition,
            account,
            kind,
            path,
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_comes_from_the_callers_own_arn() {
        let account =
            Account::of_caller("arn:aws-cn:sts::111122223333:assumed-role/smr/i-1").unwrap();
        assert_eq!(account.partition, Partition::AwsCn);
        assert_eq!(
            account.role_arn("/session-manager/", "r"),
            "arn:aws-cn:iam::111122223333:role/session-manager/r"
        );
        assert_eq!(
            account.policy_arn("/", "p"),
            "arn:aws-cn:iam::111122223333:policy/p"
        );
    }

    #[test]
    fn unknown_partitions_are_refused_with_words() {
        let error = Account::of_caller("arn:aws-iso:iam::111122223333:user/a").unwrap_err();
        assert!(
            error.to_string().contains("aws-iso is not supported"),
            "{error}"
        );
    }

    #[test]
    fn a_region_lies_in_a_partition() {
        for (region, partition) in [
            ("us-east-1", Partition::Aws),
            ("ap-southeast-7", Partition::Aws),
            ("mx-central-1", Partition::Aws),
            ("il-central-1", Partition::Aws),
            ("cn-northwest-1", Partition::AwsCn),
            ("us-gov-west-1", Partition::AwsUsGov),
            ("eusc-de-east-1", Partition::AwsEusc),
        ] {
            assert_eq!(Partition::of_region(region), Ok(partition), "{region}");
        }
        // What the SDK's own endpoint takes in each.
        for partition in Partition::ALL {
            assert_eq!(Partition::of_region(partition.iam_region()), Ok(partition));
        }
    }

    #[test]
    fn what_is_no_region_is_refused_with_words() {
        for (region, words) in [
            ("us-iso-east-1", "isolated partition"),
            ("us-isob-east-1", "isolated partition"),
            ("us-isof-south-1", "isolated partition"),
            ("eu-isoe-west-1", "isolated partition"),
            ("us-east-1a", "is a zone: write its region, us-east-1"),
            (
                "us-gov-west-1b",
                "is a zone: write its region, us-gov-west-1",
            ),
            ("us-west-2-lax-1a", "is a zone: write its region, us-west-2"),
            (
                "us-east-1-wl1-bos-wlz-1",
                "is a zone: write its region, us-east-1",
            ),
            ("foo", "'foo' is no AWS region"),
            ("", "'' is no AWS region"),
            ("us-east", "is no AWS region"),
            ("us-esat-1", "is no AWS region"),
            ("US-EAST-1", "is no AWS region"),
            ("us-east-1 ", "is no AWS region"),
            ("use1-az1", "is no AWS region"),
            ("us-east-01", "is no AWS region"),
            ("aws-global", "is no AWS region"),
            ("eusc-east-1", "is no AWS region"),
            ("us-east-*", "is no AWS region"),
        ] {
            let error = Partition::of_region(region).unwrap_err().to_string();
            assert!(error.contains(words), "{region}: {error}");
        }
    }

    #[test]
    fn an_arn_is_taken_apart() {
        let arn = Arn::parse("arn:aws:iam::111122223333:role/a/b/name").unwrap();
        assert_eq!((arn.kind, arn.path, arn.name), ("role", "/a/b/", "name"));
        assert_eq!(
            Arn::parse("arn:aws:iam::111122223333:role/name")
                .unwrap()
                .path,
            "/"
        );
        assert_eq!(Arn::parse("role/name"), None);
    }
}
