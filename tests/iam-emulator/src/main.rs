//! The emulator as a program: arguments enter, an endpoint on 127.0.0.1 leaves. Does IO.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use iam_emulator::{Config, Server};
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

async fn run(arguments: Arguments) -> std::io::Result<()> {
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
