//! `smr crd`: the CustomResourceDefinition on standard output.

use std::io::Write as _;

use super::CliError;

pub(super) fn run() -> Result<(), CliError> {
    // The value is made of strings, numbers and lists: YAML can say all of it.
    let yaml = smr_api::crd_yaml(|value| smr_manifest::to_yaml(value).unwrap_or_default())?;
    Ok(std::io::stdout().write_all(yaml.as_bytes())?)
}
