//! Why a server was not reached, and what of its words lasts: words that are the same at every retry.
//! An error of the HTTP client, or AWS's words, in; words out. No IO.

use std::error::Error;
use std::io;
use std::time::Duration;

/// No connection takes longer to make.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// What to check where a server is not reached.
pub(crate) const CHECK: &str =
    "Check the network, DNS, HTTPS_PROXY and NO_PROXY, and AWS_ENDPOINT_URL";
/// What to do about a certificate that is not trusted.
pub(crate) const TRUST: &str = "Set SSL_CERT_FILE or SSL_CERT_DIR to the certificates that you trust, your proxy's among them (AWS_CA_BUNDLE is not read)";

/// What went wrong and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreached {
    /// Follows `can't reach X: `.
    pub because: String,
    /// What a person can do.
    pub way_out: &'static str,
}

/// The cause at the bottom of an error. Only the kind of it counts, as the text may name ports.
pub(crate) fn unreached(error: &(dyn Error + 'static)) -> Unreached {
    let check = |because: String| Unreached {
        because,
        way_out: CHECK,
    };
    let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    let find = |mark: &str| texts.iter().rev().find(|text| text.contains(mark));
    // No type of these two can be named: the resolver's is std's own text, rustls' is inside another.
    if find("failed to lookup address").is_some() {
        return check("DNS does not know the host name".to_owned());
    }
    if let Some(text) = find("invalid peer certificate") {
        return Unreached {
            because: format!("its certificate is not trusted ({text})"),
            way_out: TRUST,
        };
    }
    // A proxy that refuses a tunnel.
    if let Some(text) = find("tunnel error") {
        return check(format!("the proxy refused the connection ({text})"));
    }
    let kind = chain(error)
        .filter_map(|e| e.downcast_ref::<io::Error>())
        .map(io::Error::kind)
        .find(|kind| *kind != io::ErrorKind::Other);
    match kind {
        Some(kind) => check(kind.to_string()),
        None => check(texts.last().map(String::as_str).unwrap_or_default().into()),
    }
}

/// The error and what it came from. What an `io::Error` holds is no source of it.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(held) => Some(held),
            None => error.source(),
        }
    })
}

/// What of AWS's words is the same whenever the cause is, so that no retry changes a message: no
/// request id, no time, no name of a session, nothing of the request, no encoded message.
pub(crate) fn lasting(said: &str) -> String {
    const CUT: [&str; 6] = [
        "(service: ",
        "request id",
        "requestid",
        "encoded authorization failure message",
        "the canonical string for this request",
        "the string-to-sign should have been",
    ];
    let lower = said.to_ascii_lowercase();
    if lower.starts_with("signature expired") || lower.starts_with("signature not yet current") {
        return "the controller's clock and AWS's differ too much".to_owned();
    }
    let end = CUT.iter().filter_map(|mark| lower.find(mark)).min();
    let kept = &said[..end.unwrap_or(said.len())];
    without_session_name(kept.trim_end_matches([' ', '\n', '(', ';', ',']))
}

/// `…:assumed-role/NAME/SESSION` without the session, which is another one in each replica and
/// whenever credentials are renewed.
fn without_session_name(said: &str) -> String {
    const MARK: &str = ":assumed-role/";
    let Some((before, after)) = said.split_once(MARK) else {
        return said.to_owned();
    };
    let end = after.find(char::is_whitespace).unwrap_or(after.len());
    let (caller, rest) = after.split_at(end);
    let role = caller.split('/').next().unwrap_or_default();
    format!("{before}{MARK}{role}{rest}")
}
