//! What a string of spec may be: one table, from which the CRD's CEL rules are made and by which the
//! controller checks again. Constants; no IO.
//!
//! Sources: IAM API reference (names, paths, descriptions, tags), S3 user guide "Bucket naming
//! rules", CloudWatch Logs API `CreateLogGroup`, KMS developer guide "Key identifiers". A policy
//! document takes tab, line feed, carriage return and U+0020 to U+00FF; what enters one takes less.

/// What a string may be. The texts go on after the field's path.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The characters it may have, as inside the brackets of a regular expression.
    pub characters: &'static str,
    /// The same for people, after "it takes ".
    pub takes: &'static str,
    /// The whole of it, as a regular expression.
    pub pattern: &'static str,
    /// What is said where the pattern does not match and no other text says more.
    pub must: &'static str,
    /// How many characters it may have.
    pub max: u32,
    /// What is refused with a text of its own, the first that is found.
    pub mistakes: &'static [Mistake],
}

/// A mistake that people make.
#[derive(Clone, Copy, Debug)]
pub struct Mistake {
    /// How it shows: a regular expression.
    pub pattern: &'static str,
    /// What is wrong and what to do.
    pub says: &'static str,
}

/// A block scalar of YAML ends with a line break.
const LINE_BREAK: Mistake = Mistake {
    pattern: "[\\r\\n]$",
    says: "ends with a line break: write the value on one line, without | or >",
};

/// Names of policies and instance profiles.
pub const NAME: Form = Form {
    characters: "A-Za-z0-9_+=,.@-",
    takes: "letters, digits and _+=,.@- (leave it out to get a name made for you)",
    pattern: "^[A-Za-z0-9_+=,.@-]+$",
    must: "can't be empty: leave it out to get a name made for you",
    max: 128,
    mistakes: &[LINE_BREAK],
};

/// Names of roles.
pub const ROLE_NAME: Form = Form { max: 64, ..NAME };

/// The strictest of IAM's path forms (that of policies), as one path serves all three objects.
pub const PATH: Form = Form {
    characters: "/A-Za-z0-9.,+@=_-",
    takes: "letters, digits and /.,+@=_-",
    pattern: "^/([A-Za-z0-9.,+@=_-]+/)*$",
    must: "must begin and end with / and have no // in between, such as /session-manager/",
    max: 512,
    mistakes: &[LINE_BREAK],
};

/// Descriptions of roles and policies; line breaks are allowed.
pub const DESCRIPTION: Form = Form {
    characters: "\\t\\n\\r\\x20-\\x7E\\xA1-\\xFF",
    takes: "Latin letters and the usual signs only, as IAM does",
    pattern: "^[\\t\\n\\r\\x20-\\x7E\\xA1-\\xFF]*$",
    must: "must be plain text",
    max: 1000,
    mistakes: &[],
};

/// A bucket that logs can be written to.
pub const BUCKET: Form = Form {
    characters: "a-z0-9.-",
    takes: "lower-case letters, digits, dots and hyphens",
    pattern: "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    must: "must be a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends",
    max: 63,
    mistakes: &[
        LINE_BREAK,
        Mistake {
            pattern: "[:/]",
            says: "must be a bucket's name alone, not an ARN or URL",
        },
        Mistake {
            pattern: "[.][.]",
            says: "can't have two dots in a row: no bucket has such a name",
        },
        Mistake {
            pattern: "^[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+$",
            says: "can't be an IP address: write the bucket's name",
        },
        Mistake {
            pattern: "^(xn--|sthree-|amzn-s3-demo-)",
            says: "begins with a prefix that S3 reserves (xn--, sthree-, amzn-s3-demo-): no bucket of yours has such a name",
        },
        Mistake {
            pattern: "(-s3alias|--ol-s3|[.]mrap)$",
            says: "is the alias of an access point (-s3alias, --ol-s3, .mrap): write the name of the bucket behind it",
        },
        Mistake {
            pattern: "(--x-s3|--table-s3)$",
            says: "is a directory bucket or a table bucket (--x-s3, --table-s3): name a general purpose bucket",
        },
    ],
};

/// The prefix of a log's key, which is part of a policy's resource.
pub const KEY_PREFIX: Form = Form {
    characters: "\\x20-\\x29\\x2B-\\x3E\\x40-\\x7E\\xA1-\\xAC\\xAE-\\xFF",
    takes: "Latin letters, digits and the usual signs only, as IAM policies do",
    pattern: "^[\\x20-\\x29\\x2B-\\x3E\\x40-\\x7E\\xA1-\\xAC\\xAE-\\xFF]*$",
    must: "must be a plain prefix, such as logs/production",
    max: 512,
    mistakes: &[
        LINE_BREAK,
        Mistake {
            pattern: "^([A-Za-z0-9]+://|[Aa][Rr][Nn]:)",
            says: "must be the prefix alone, not a URL or ARN: write the bucket's name in spec.sessionLogs.s3.bucket",
        },
        Mistake {
            pattern: "^ | $",
            says: "begins or ends with a space: remove it",
        },
        Mistake {
            pattern: "^/+$",
            says: "is no prefix: leave it out for the whole bucket",
        },
        Mistake {
            pattern: "[*?]|[$][{]",
            says: "can't have *, ? or ${, which would widen the policy: write the plain prefix",
        },
    ],
};

/// A log group.
pub const LOG_GROUP: Form = Form {
    characters: "A-Za-z0-9_/.#-",
    takes: "letters, digits and _-/.#",
    pattern: "^[A-Za-z0-9_/.#-]+$",
    must: "can't be empty: leave it out for any log group",
    max: 512,
    mistakes: &[
        LINE_BREAK,
        Mistake {
            pattern: "^[Aa][Rr][Nn]:",
            says: "must be a log group's name alone, not an ARN",
        },
        Mistake {
            pattern: "^aws/",
            says: "can't begin with aws/, which CloudWatch Logs reserves: did you mean /aws/?",
        },
    ],
};

/// A KMS key's ARN: IAM does not resolve aliases in a policy's resources.
pub const KEY_ARN: Form = Form {
    characters: "A-Za-z0-9:/-",
    takes: "letters, digits and :/-",
    pattern: "^arn:aws(-cn|-us-gov|-eusc)?:kms:(us-gov|eusc-[a-z]{2}|[a-z]{2})-(central|(north|south)?(east|west)|north|south)-[1-9][0-9]?:[0-9]{12}:key/([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$",
    must: "must be the key's ARN, such as arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab: an alias or a key id does not work in an IAM policy ('aws kms describe-key' prints the ARN)",
    max: 2048,
    mistakes: &[
        LINE_BREAK,
        Mistake {
            pattern: "^arn:[a-z-]+:kms:[a-z]+(-[a-z]+)+-[0-9]+[a-z]:",
            says: "names an availability zone: write its region, such as us-east-1 for us-east-1a",
        },
        Mistake {
            pattern: "^arn:(aws-iso|[a-z-]+:kms:[a-z]+-iso[a-z]?-)",
            says: "lies in an isolated partition, which is not supported: name a key in aws, aws-cn, aws-us-gov or aws-eusc",
        },
        Mistake {
            pattern: ":key/[0-9A-Za-z-]*[A-Z]",
            says: "has upper-case letters in the key's id, which matches no key: KMS writes ids in lower case ('aws kms describe-key' prints the ARN)",
        },
    ],
};

/// A managed policy's ARN, AWS's own or a customer's.
pub const POLICY_ARN: Form = Form {
    characters: "A-Za-z0-9_+=,.@:/-",
    takes: "letters, digits and _+=,.@:/-",
    pattern: "^arn:aws(-cn|-us-gov|-eusc|-iso|-iso-[bef])?:iam::([0-9]{12}|aws):policy/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,128}$",
    must: "must be a managed policy's ARN, such as arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy",
    max: 2048,
    mistakes: &[LINE_BREAK],
};

/// Managed policies' ARNs as the operator's flags take them: `*` stands for any characters.
pub const POLICY_ARN_PATTERN: Form = Form {
    characters: "A-Za-z0-9_+=,.@:/*-",
    takes: "letters, digits and _+=,.@:/*-",
    pattern: "^(arn:|[*])[A-Za-z0-9_+=,.@:/*-]*$",
    must: "must be the ARN of managed policies, in which * stands for any characters, such as arn:aws:iam::aws:policy/*",
    max: 2048,
    mistakes: &[LINE_BREAK],
};

/// A service principal, as a trust policy names it.
pub const SERVICE_PRINCIPAL: Form = Form {
    characters: "a-z0-9.-",
    takes: "lower-case letters, digits, dots and hyphens",
    pattern: "^[a-z0-9.-]+[.]amazonaws[.](com|com[.]cn|eu)$",
    must: "must be a service principal, such as ec2.amazonaws.com",
    max: 128,
    mistakes: &[LINE_BREAK],
};

/// A namespace of the cluster.
pub const NAMESPACE: Form = Form {
    characters: "a-z0-9-",
    takes: "lower-case letters, digits and hyphens",
    pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
    must: "must be a namespace's name: lower-case letters, digits and hyphens, with a letter or digit at both ends",
    max: 63,
    mistakes: &[LINE_BREAK],
};

/// A region: the regions whose partition `Partition::of_region` in the core knows.
pub const REGION: Form = Form {
    characters: "a-z0-9-",
    takes: "lower-case letters, digits and hyphens",
    pattern: "^(us-gov|eusc-[a-z]{2}|[a-z]{2})-(central|(north|south)?(east|west)|north|south)-[1-9][0-9]?$",
    must: "must be an AWS region, such as eu-central-1, us-gov-west-1, cn-north-1 or eusc-de-east-1",
    max: 32,
    mistakes: &[
        LINE_BREAK,
        Mistake {
            pattern: "^[a-z-]+-[0-9]+(-[a-z]+-[0-9]+)?[a-z]$",
            says: "is an availability zone: write its region, such as us-east-1 for us-east-1a",
        },
        Mistake {
            pattern: "^[a-z]+-iso[a-z]?-",
            says: "lies in an isolated partition, which is not supported: name a region of aws, aws-cn, aws-us-gov or aws-eusc",
        },
    ],
};

/// An account. Longer texts are let through to this form, which says more than a bound.
pub const ACCOUNT_ID: Form = Form {
    characters: "0-9",
    takes: "12 digits and nothing else",
    pattern: "^[0-9]{12}$",
    must: "must be an account's id: 12 digits, in quotes",
    max: 32,
    mistakes: &[LINE_BREAK],
};

/// A tag's key.
pub const TAG_KEY: Form = Form {
    characters: "\\p{L}\\p{Z}\\p{N}_.:/=+@-",
    takes: "letters, digits, spaces and _.:/=+-@",
    pattern: "^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]+$",
    must: "can't be empty",
    max: 128,
    mistakes: &[],
};

/// Keys of tags, in which `*` stands for any characters.
pub const TAG_KEY_PATTERN: Form = Form {
    characters: "\\p{L}\\p{Z}\\p{N}_.:/=+@*-",
    takes: "letters, digits, spaces and _.:/=+-@*",
    pattern: "^[\\p{L}\\p{Z}\\p{N}_.:/=+@*-]+$",
    ..TAG_KEY
};

/// A tag's value.
pub const TAG_VALUE: Form = Form {
    pattern: "^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]*$",
    must: "must be plain text",
    max: 256,
    mistakes: &[Mistake {
        pattern: "^[Aa][Ww][Ss]:",
        says: "begins with aws:, which AWS keeps for itself: write another value",
    }],
    ..TAG_KEY
};

/// How many tags an object of spec may have.
pub const TAGS_MAX: u32 = 45;

/// Prefixes of tag keys, in lower case, that belong to others.
pub const RESERVED_TAG_PREFIXES: [&str; 2] = ["sessionmanager.dev/", "aws:"];

/// Whether a tag's key begins with one of [`RESERVED_TAG_PREFIXES`], in any case.
pub fn is_reserved_tag_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let mut reserved = RESERVED_TAG_PREFIXES.iter();
    reserved.any(|prefix| lower.starts_with(prefix))
}

/// Characters that can't be seen, or not be told from others, by name; those that come with copied
/// text. Each is repeated in every rule of the CRD.
pub const NAMED: [(char, &str); 14] = [
    ('\n', "a line break"),
    ('\r', "a carriage return"),
    ('\t', "a tab"),
    (' ', "a space"),
    ('\u{A0}', "U+00A0 (no-break space)"),
    ('\u{AD}', "U+00AD (soft hyphen)"),
    ('\u{301}', "U+0301 (combining acute accent)"),
    ('\u{308}', "U+0308 (combining diaeresis)"),
    ('\u{200B}', "U+200B (zero width space)"),
    ('\u{2010}', "U+2010 (hyphen)"),
    ('\u{2011}', "U+2011 (non-breaking hyphen)"),
    ('\u{202F}', "U+202F (narrow no-break space)"),
    ('\u{3000}', "U+3000 (ideographic space)"),
    ('\u{FEFF}', "U+FEFF (byte order mark)"),
];

/// Any other that is put on the character before it, as a regular expression.
pub const COMBINING: &str = "^\\p{M}$";
/// Any other that can't be seen, as a regular expression.
pub const INVISIBLE: &str = "^[\\p{Z}\\p{C}]$";
