//! The log: a format and a filter enter, a subscriber for the whole process leaves.
//! IO: standard error.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The environment variables that hold the filter; the first that is set counts.
const VARIABLES: [&str; 2] = ["SMR_LOG", "RUST_LOG"];

/// The form of a line of the log, `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter does not parse.
    #[error("{variable} is no log filter: {reason}; for example info, or info,kube=debug")]
    Filter {
        /// The environment variable that holds it.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else has installed a subscriber before.
    #[error("the log was started twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts logging for the process, to standard error, filtered by `SMR_LOG`, else `RUST_LOG`,
/// else at `info`.
pub fn init(format: LogFormat) -> Result<(), LogError> {
    let filter = filter(|variable| std::env::var(variable).ok())?;
    let colours = std::io::stderr().is_terminal();
    subscriber(format, filter, colours, std::io::stderr).try_init()?;
    Ok(())
}

fn filter(read: impl Fn(&str) -> Option<String>) -> Result<EnvFilter, LogError> {
    let set = VARIABLES.into_iter().find_map(|variable| {
        let value = read(variable).filter(|value| !value.trim().is_empty())?;
        Some((variable, value))
    });
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    match set {
        None => Ok(builder.parse_lossy("")),
        Some((variable, value)) => builder.parse(value).map_err(|reason| LogError::Filter {
            variable,
            reason: reason.to_string(),
        }),
    }
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
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    match format {
        LogFormat::Text => Box::new(builder.with_ansi(colours).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
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
        let filter = filter(|name| {
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
        let json: serde_json::Value =
            serde_json::from_str(&logged(LogFormat::Json, &[("SMR_LOG", " ")])).unwrap();
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
        let error = filter(|name| (name == "RUST_LOG").then(|| "smr=loud".to_owned()));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("RUST_LOG is no log filter: "), "{error}");
    }
}
