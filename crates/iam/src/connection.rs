//! Why a server was not reached. An error of the HTTP client in; words out, the same at every retry.
//! No IO.

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
