//! Pages: items with keys enter, one page of them leaves. No IO.

use super::Context;
use crate::wire::{IamError, Result, Xml};

/// One page, and where the next one starts.
pub(super) struct Page<T> {
    pub items: Vec<T>,
    marker: Option<String>,
}

impl<T> Page<T> {
    /// `IsTruncated`, and `Marker` when there is more.
    pub fn write_end(&self, xml: &mut Xml) {
        xml.value("IsTruncated", self.marker.is_some());
        xml.optional("Marker", self.marker.as_deref());
    }
}

impl Context<'_> {
    /// The page that `Marker` and `MaxItems` ask for. The items come in the order of their keys;
    /// a marker holds the last key of its page, so changes in between neither repeat nor skip
    /// what stays.
    pub(super) fn page<T>(&self, items: impl IntoIterator<Item = (String, T)>) -> Result<Page<T>> {
        let asked = self.params.number("MaxItems")?;
        if asked.is_some_and(|asked| asked < 1) {
            return Err(IamError::constraint(
                "maxItems",
                "Member must have value greater than or equal to 1",
            ));
        }
        if asked.is_some_and(|asked| asked > 1000) {
            return Err(IamError::constraint(
                "maxItems",
                "Member must have value less than or equal to 1000",
            ));
        }
        let asked = asked.map_or(100, |asked| usize::try_from(asked).unwrap_or(100));
        let size = asked.min(self.page_size).max(1);
        let after = self
            .params
            .get("Marker")
            .map(|marker| {
                decode(marker)
                    .ok_or_else(|| IamError::validation(format!("Invalid Marker: {marker}")))
            })
            .transpose()?;
        let mut page = Page {
            items: Vec::new(),
            marker: None,
        };
        let mut last = String::new();
        let rest = items
            .into_iter()
            .skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after));
        for (key, item) in rest {
            if page.items.len() == size {
                page.marker = Some(encode(&last));
                break;
            }
            page.items.push(item);
            last = key;
        }
        Ok(page)
    }
}

/// Markers mean nothing to callers; hexadecimal keeps them from being guessed at.
fn encode(key: &str) -> String {
    use std::fmt::Write as _;
    key.bytes().fold(String::from("M"), |mut marker, byte| {
        let _ = write!(marker, "{byte:02x}");
        marker
    })
}

fn decode(marker: &str) -> Option<String> {
    let digits = marker.strip_prefix('M')?;
    let bytes = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect::<Option<Vec<u8>>>()?;
    String::from_utf8(bytes).ok()
}
