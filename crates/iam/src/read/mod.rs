//! Reads IAM: one object, or the account at once. In: names, or what is of interest; out: what IAM
//! holds. Does network IO; never writes.

mod account;
mod lists;
mod object;
mod paging;
mod usage;

use std::future::Future;

use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use smr_core::failure::Failure;

use crate::client::Iam;
use crate::convert::found;
use crate::gate::Access;
use paging::Page;

pub use account::{BulkFilter, Cost, WholeAccount, with_own_document};
pub use lists::ListedAccount;

impl Iam {
    /// Reads something that may not exist.
    async fn find<T, E, F>(
        &self,
        action: &'static str,
        arn: &str,
        call: impl Fn() -> F,
    ) -> Result<Option<T>, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let arn = arn.to_owned();
        found(self.send(action, Access::Read, arn, call).await)
    }

    /// Reads a page of what something has that may not exist.
    async fn page<T, E, F, I>(
        &self,
        action: &'static str,
        arn: &str,
        call: impl Fn() -> F,
        of: impl FnOnce(T) -> Page<I>,
    ) -> Result<Page<I>, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let answer = self.find(action, arn, call).await?;
        Ok(answer.map_or_else(Page::empty, of))
    }
}
