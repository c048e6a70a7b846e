//! The log: a format and a filter enter, a subscriber for the whole process leaves.
//! IO: standard error.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry};

/// The environment variables that hold the filter where `--log-level` does not; the first that is
/// set counts.
const VARIABLES: [&str; 2] = ["SMR_LOG", "RUST_LOG"];
/// Who warns of what the program then logs itself, once and with the cause. What the SDK says of its
/// credentials also has ids and names of sessions.
const REPEATED: [&str; 5] = [
    "aws_config::meta::credentials",
    "aws_config::profile::credentials",
    "aws_config::sts",
    "aws_config::web_identity_token",
    "kube_client::client::builder",
];

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter does not parse.
    #[error("{from} is no log filter: {reason}; for example info, or info,kube=debug")]
    Filter {
        /// The flag or the environment variable that holds it.
        from: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else has installed a subscriber before.
    #[error("the log was started twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts logging for the process, to standard error, filtered by `level` (that of `--log-level`),
/// else by `SMR_LOG`, else by `RUST_LOG`, else at `info`.
pub fn init(format: LogFormat, level: Option<&str>) -> Result<(), LogError> {
    let filter = filter(level, |variable| std::env::var(variable).ok())?;
    let colours = std::io::stderr().is_terminal();
    subscriber(format, filter, colours, std::io::stderr).try_init()?;
    Ok(())
}

fn filter(
    level: Option<&str>,
    read: impl Fn(&str) -> Option<String>,
) -> Result<EnvFilter, LogError> {
    let variables = VARIABLES.into_iter().map(|name| (name, read(name)));
    let set = std::iter::once(("--log-level", level.map(str::to_owned)))
        .chain(variables)
        .find_map(|(from, value)| Some((from, value.filter(|value| !value.trim().is_empty())?)));
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let Some((from, value)) = set else {
        return Ok(builder.parse_lossy(""));
    };
    // One word that is no level would be a crate of which all is logged, and nothing else.
    if level.is_some() && !value.contains(['=', ',', '[']) {
        let parsed = value.trim().parse::<LevelFilter>();
        return parsed
            .map(|level| builder.parse_lossy(level.to_string()))
            .map_err(|_| LogError::Filter {
                from,
                reason: format!("'{value}' is not error, warn, info, debug, trace or off"),
            });
    }
    builder.parse(value).map_err(|reason| LogError::Filter {
        from,
        reason: reason.to_string(),
    })
}

fn subscriber<W>(
    format: LogFormat,
    filter: EnvFilter,
    colours: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = filter.and(filter_fn(|metadata| !is_repeated(metadata)));
    let lines = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => {
            Box::new(Registry::default().with(lines.with_ansi(colours).with_filter(filter)))
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            Box::new(Registry::default().with(lines.with_filter(filter)))
        }
    }
}

fn is_repeated(metadata: &Metadata) -> bool {
    *metadata.level() <= Level::WARN
        && REPEATED
            .iter()
            .any(|target| metadata.target().starts_with(target))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, variables: &[(&str, &str)]) -> String {
        logged_at(format, None, variables)
    }

    fn logged_at(format: LogFormat, level: Option<&str>, variables: &[(&str, &str)]) -> String {
        let filter = filter(level, |name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        });
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(format, filter.unwrap(), false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("hidden");
            tracing::info!(object = "team/app", "created");
            tracing::warn!(target: "aws_config::web_identity_token", "twice");
            tracing::error!(target: "kube_client::client::builder", "twice");
            tracing::debug!(target: "kube_client::client::builder", "requesting");
            tracing::warn!(target: "kube_client::client::tls", "once");
        });
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn text_and_json_at_info() {
        let text = logged(LogFormat::Text, &[]);
        assert!(text.contains("created object=\"team/app\""), "{text}");
        assert!(
            !text.contains("hidden") && !text.contains('\u{1b}'),
            "{text}"
        );
        let json = logged(LogFormat::Json, &[("SMR_LOG", " ")]);
        let json: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&json["object"], &json["message"]),
            (&"team/app".into(), &"created".into())
        );
    }

    #[test]
    fn our_variable_wins_over_the_common_one() {
        let both = [("RUST_LOG", "error"), ("SMR_LOG", "debug")];
        assert!(logged(LogFormat::Text, &both).contains("hidden"));
        assert_eq!(logged(LogFormat::Text, &both[..1]), "");
    }

    #[test]
    fn a_bad_filter_is_named() {
        let error = filter(None, |name| {
            (name == "RUST_LOG").then(|| "smr=loud".to_owned())
        });
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("RUST_LOG is no log filter: "), "{error}");
    }

    #[test]
    fn the_flag_wins_and_takes_a_level_or_a_filter() {
        let all = [("SMR_LOG", "error"), ("RUST_LOG", "error")];
        for (level, debug, info) in [
            ("debug", true, true),
            ("INFO", false, true),
            ("warn", false, false),
            ("warn,session_manager_role=debug", true, true),
        ] {
            let text = logged_at(LogFormat::Text, Some(level), &all);
            assert_eq!(text.contains("hidden"), debug, "{level}: {text}");
            assert_eq!(text.contains("created"), info, "{level}: {text}");
        }
        let error = filter(Some("loud"), |_| None).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"--log-level is no log filter: 'loud' is not error, warn, info, debug, trace or off; for example info, or info,kube=debug");
        assert!(filter(Some("a=loud"), |_| None).is_err());
    }

    #[test]
    fn what_the_program_logs_itself_is_not_repeated() {
        let text = logged(LogFormat::Text, &[("SMR_LOG", "debug")]);
        assert!(!text.contains("twice"), "{text}");
        assert!(
            text.contains("requesting") && text.contains("once"),
            "{text}"
        );
    }
}
