//! Paging: a call that takes a marker in, the items of all pages out.

use std::future::Future;

use smr_core::failure::Failure;

/// One page.
pub(super) struct Page<T> {
    items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    next: Option<String>,
}

impl<T> Page<T> {
    /// IAM marks a short page with `IsTruncated`; a marker without it means nothing.
    pub(super) fn new(items: Vec<T>, truncated: bool, marker: Option<String>) -> Self {
        Self {
            items,
            next: marker.filter(|_| truncated),
        }
    }

    /// Of something that does not exist.
    pub(super) const fn empty() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
}

/// Reads page after page and keeps all items.
pub(super) async fn all<T, F>(page: impl Fn(Option<String>) -> F) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<Page<T>, Failure>>,
{
    let mut items = Vec::new();
    each(page, |item| items.push(item)).await?;
    Ok(items)
}

/// Reads page after page and hands out each item; a page is gone before the next one comes. How
/// many pages there were.
pub(super) async fn each<T, F>(
    page: impl Fn(Option<String>) -> F,
    mut take: impl FnMut(T),
) -> Result<usize, Failure>
where
    F: Future<Output = Result<Page<T>, Failure>>,
{
    let mut pages = 0;
    let mut marker = None;
    loop {
        let Page { items, next } = page(marker).await?;
        pages += 1;
        items.into_iter().for_each(&mut take);
        match next {
            Some(next) => marker = Some(next),
            None => return Ok(pages),
        }
    }
}

/// The same under each path prefix in its turn (`None`: under any); how many pages there were.
pub(super) async fn each_under<T, F>(
    prefixes: &[Option<String>],
    page: impl Fn(Option<String>, Option<String>) -> F,
    mut take: impl FnMut(T),
) -> Result<usize, Failure>
where
    F: Future<Output = Result<Page<T>, Failure>>,
{
    let mut pages = 0;
    for prefix in prefixes {
        pages += each(|marker| page(prefix.clone(), marker), &mut take).await?;
    }
    Ok(pages)
}
