//! Paging: a call that takes a marker in, all items of all pages out.

use std::future::Future;

use smr_core::failure::Failure;

/// One page.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub(super) next: Option<String>,
}

impl<T> Page<T> {
    /// IAM marks a short page with `IsTruncated`; a marker without it means nothing.
    pub(super) fn new(items: Vec<T>, truncated: bool, marker: Option<String>) -> Self {
        Self {
            items,
            next: marker.filter(|_| truncated),
        }
    }
}

/// Reads page after page.
pub(super) async fn all<T, F>(page: impl Fn(Option<String>) -> F) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<Page<T>, Failure>>,
{
    let mut items = Vec::new();
    let mut marker = None;
    loop {
        let Page {
            items: mut more,
            next,
        } = page(marker).await?;
        items.append(&mut more);
        match next {
            Some(next) => marker = Some(next),
            None => return Ok(items),
        }
    }
}
