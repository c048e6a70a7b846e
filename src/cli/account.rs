//! The AWS account as flags, or asked of AWS. In: flags and environment; out: an [`Account`]. Does
//! network IO only where asked to look.

use std::sync::Arc;

use clap::Args;
use smr_core::account::{Account, Partition, is_account_id};
use smr_core::failure::{Failure, FailureClass};
use thiserror::Error;

use super::{CliError, flag};
use smr_core::ports::{ReadOnly, Uncounted};
use smr_iam::{Aws, Budget, Gate, IdentityError};
use tokio_util::sync::CancellationToken;

pub(super) use smr_core::account::UNKNOWN_ACCOUNT;

/// Reads a second, at most.
const READS_PER_SECOND: u32 = 20;

/// Which account, where AWS is not asked.
#[derive(Clone, Debug, Args)]
pub(super) struct AccountArgs {
    /// The AWS account, 12 digits
    #[arg(long, value_name = "DIGITS")]
    pub account_id: Option<String>,
    /// The AWS partition: aws, aws-cn, aws-us-gov or aws-eusc [default: that of --region, or aws]
    #[arg(long)]
    pub partition: Option<String>,
    /// A region of the account, such as eu-central-1: its partition is meant
    #[arg(long)]
    pub region: Option<String>,
}

/// The account can't be told.
#[derive(Debug, Error)]
pub enum AccountError {
    /// AWS did not answer as it should.
    #[error("{}", in_words(.0))]
    Aws(Failure),
    /// The account can't be worked with.
    #[error(transparent)]
    Account(#[from] smr_core::account::AccountError),
}

/// A failed reading in the controller's words, and what whoever runs a command can do besides.
fn in_words(failure: &Failure) -> String {
    const WITHOUT_AWS: &str = "--from OLD, --offline and --account-id work without AWS";
    let Failure {
        class,
        action,
        resource,
        code: _,
        said,
        way_out,
    } = failure;
    match class {
        FailureClass::Credentials => format!("{failure}. {WITHOUT_AWS}"),
        // A command does not retry.
        FailureClass::Unavailable => {
            let on = if resource.is_empty() { "" } else { " on " };
            let way_out = way_out.as_deref().unwrap_or("Try again");
            format!("{action}{on}{resource}: {said}. {way_out}. {WITHOUT_AWS}")
        }
        FailureClass::AccessDenied => format!(
            "{action} on {resource}: {said}. 'smr controller-policy --read-only' prints the policy that looking needs"
        ),
        _ => failure.to_string(),
    }
}

impl AccountArgs {
    /// As the flags say.
    pub(super) fn given(&self) -> Result<Option<Account>, CliError> {
        let Some(id) = &self.account_id else {
            return Ok(None);
        };
        if !is_account_id(id) {
            return Err(flag("--account-id", format!("'{id}' must be 12 digits")));
        }
        self.of(id).map(Some)
    }

    /// As the flags say, or with an account that stands for any.
    pub(super) fn given_or_any(&self) -> Result<Account, CliError> {
        match self.given()? {
            Some(account) => Ok(account),
            None => self.of(UNKNOWN_ACCOUNT),
        }
    }

    fn of(&self, id: &str) -> Result<Account, CliError> {
        Ok(Account {
            id: id.to_owned(),
            partition: self.partition()?.unwrap_or(Partition::Aws),
        })
    }

    /// The partition, where a flag says it. It is checked in every mode: a mistyped region is a
    /// mistake, even where AWS is asked.
    pub(super) fn partition(&self) -> Result<Option<Partition>, CliError> {
        let partition = (self.partition.as_deref())
            .map(str::parse::<Partition>)
            .transpose()
            .map_err(|error| flag("--partition", error.to_string()))?;
        let Some(region) = &self.region else {
            return Ok(partition);
        };
        let its = Partition::of_region(region).map_err(|e| flag("--region", e.to_string()))?;
        match partition.filter(|partition| *partition != its) {
            None => Ok(Some(its)),
            Some(other) => Err(flag(
                "--partition",
                format!(
                    "{other} has no region {region}, which lies in {its}: leave --partition out, or give another --region"
                ),
            )),
        }
    }

    /// That the flags do not name another account than the credentials' own.
    pub(super) fn expect(&self, account: &Account) -> Result<(), CliError> {
        let Account { id, partition } = account;
        if let Some(given) = self.given()?.filter(|given| given != account) {
            let problem = format!(
                "{} in {}, but the credentials are of {id} in {partition}",
                given.id, given.partition
            );
            return Err(flag("--account-id", problem));
        }
        match self.partition()?.filter(|given| given != partition) {
            None => Ok(()),
            Some(given) => {
                let name = match self.region {
                    Some(_) => "--region",
                    None => "--partition",
                };
                let problem = format!(
                    "lies in {given}, but the credentials are of {id} in {partition}: leave it out, or use other credentials"
                );
                Err(flag(name, problem))
            }
        }
    }
}

/// AWS through a gate that no write passes.
pub(super) async fn reading() -> Aws {
    let gate = Gate::new(
        Budget::new(READS_PER_SECOND),
        Arc::new(ReadOnly),
        CancellationToken::new(),
        Arc::new(Uncounted),
    );
    Aws::new(&smr_iam::from_environment().await, gate)
}

/// Whose credentials these are.
pub(super) async fn caller(aws: &Aws) -> Result<Account, AccountError> {
    aws.account().await.map_err(|error| match error {
        IdentityError::Call(failed) => AccountError::Aws(failed.0),
        IdentityError::Account(error) => AccountError::Account(error),
    })
}
