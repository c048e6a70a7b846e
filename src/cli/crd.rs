//! `smr crd`: the CustomResourceDefinition, or a kind's JSON schema, on standard output.

use std::io::Write as _;

use clap::ValueEnum;
use smr_manifest::schema::Schema;

use super::CliError;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only the CRD of this kind
    #[arg(long, value_enum, ignore_case = true)]
    kind: Option<Kind>,
    /// The schema of the kind's objects instead, for editors and for checks without a cluster
    #[arg(long, value_enum)]
    schema: Option<Format>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    #[value(name = "SessionManagerRole")]
    SessionManagerRole,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// JSON Schema, draft 7
    Json,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let Kind::SessionManagerRole = args.kind.unwrap_or(Kind::SessionManagerRole);
    let text = match args.schema {
        Some(Format::Json) => {
            let schema = Schema::new()?.json_schema();
            format!("{schema:#}\n")
        }
        // The value is made of strings, numbers and lists: YAML can say all of it.
        None => smr_api::crd_yaml(|value| smr_manifest::to_yaml(value).unwrap_or_default())?,
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
