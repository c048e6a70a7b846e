//! The emulator as a program: arguments enter, an endpoint on 127.0.0.1 leaves; or requests enter
//! line by line and verdicts leave. Does IO.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use iam_emulator::{Config, Enforced, Server};
use tokio::signal::unix::{SignalKind, signal};

/// A strict, stateful IAM for tests and demos. It verifies no signatures and listens on loopback
/// addresses only.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The account of callers that no --credential names.
    #[arg(long, default_value = "111122223333")]
    account_id: String,
    /// The partition of all ARNs.
    #[arg(long, default_value = "aws", value_parser = ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])]
    partition: String,
    /// An access key id and its account. Once one is given, other keys are refused.
    #[arg(long = "credential", value_name = "KEY=ACCOUNT", value_parser = credential)]
    credentials: Vec<(String, String)>,
    /// The most items on one page.
    #[arg(long, default_value_t = 1000)]
    page_size: usize,
    /// A file that gets the endpoint once it can be reached.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// A file of callers that are held to policies, a JSON list: access_key_id, principal_arn, and as
    /// JSON text policy, boundary (or null) and scps.
    #[arg(long, value_name = "FILE")]
    enforce: Option<PathBuf>,
    /// Serves nothing, but judges requests: reads lines of JSON ({"policies": [...], "boundary": null,
    /// "scps": [], "action": ..., "resource": ..., "context": {...}}) and answers each with a line,
    /// `allowed` or `denied`. Ends at a line that it does not understand.
    #[arg(long, exclusive = true)]
    judge: bool,
}

fn credential(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, account)| (key.to_owned(), account.to_owned()))
        .ok_or_else(|| "expected <access key id>=<account id>".to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iam-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn invalid(error: impl std::fmt::Display) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string())
}

fn judge() -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    for (number, line) in (1..).zip(std::io::stdin().lock().lines()) {
        let verdict = iam_emulator::judge(&line?)
            .map_err(|error| invalid(format!("line {number}: {error}")))?;
        // Each at once: the one who asks may wait for it before the next.
        writeln!(output, "{verdict}")?;
        output.flush()?;
    }
    Ok(())
}

fn callers(file: &Path) -> std::io::Result<Vec<Enforced>> {
    let text = std::fs::read_to_string(file)?;
    serde_json::from_str(&text).map_err(|error| invalid(format!("{}: {error}", file.display())))
}

async fn run(arguments: Arguments) -> std::io::Result<()> {
    if arguments.judge {
        return judge();
    }
    let enforce = arguments.enforce.as_deref().map(callers).transpose()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let config = Config {
        account_id: arguments.account_id,
        partition: arguments.partition,
        credentials: arguments
            .credentials
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        page_size: arguments.page_size,
        enforce: enforce.unwrap_or_default(),
        ..Config::default()
    };
    let server = Server::bind(config, arguments.listen).await?;
    println!("{}", server.endpoint());
    if let Some(path) = arguments.ready_file {
        // Renamed into place, so that nobody reads half an endpoint.
        let partial = path.with_extension("partial");
        std::fs::write(&partial, server.endpoint())?;
        std::fs::rename(&partial, &path)?;
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
