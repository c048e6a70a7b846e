//! What stands between the program and its servers: an HTTP proxy on loopback that counts, and TLS in
//! front of a server, with a certificate of a private CA. They end when dropped.
#![allow(dead_code)] // Each test program uses a part of it.
#![allow(clippy::unwrap_used)] // A test ends there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A proxy that takes CONNECT and absolute URLs.
pub struct CountingProxy {
    address: SocketAddr,
    passed: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl CountingProxy {
    pub async fn start() -> Self {
        Self::answering(None).await
    }

    /// One that lets nothing pass.
    pub async fn refusing() -> Self {
        Self::answering(Some(
            "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        ))
        .await
    }

    async fn answering(refusal: Option<&'static str>) -> Self {
        let passed = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::clone(&passed);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(pass(stream, Arc::clone(&seen), refusal));
            }
        });
        Self {
            address,
            passed,
            _serving: serving,
        }
    }

    /// By name, so that an exception for 127.0.0.1 is none for the proxy.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// How many connections were made through it to this server.
    pub fn passed(&self, authority: &str) -> usize {
        let passed = self.passed.lock().unwrap();
        passed.iter().filter(|to| *to == authority).count()
    }
}

/// One connection. Its first request says where it goes; a client keeps a connection to one server.
async fn pass(
    stream: TcpStream,
    passed: Arc<Mutex<Vec<String>>>,
    refusal: Option<&str>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let mut words = head.split_whitespace();
    let (method, target) = (words.next()?, words.next()?);
    let authority = target.strip_prefix("http://").unwrap_or(target);
    let authority = authority.split('/').next()?.to_owned();
    passed.lock().unwrap().push(authority.clone());
    if let Some(refusal) = refusal {
        return stream.write_all(refusal.as_bytes()).await.ok();
    }
    let mut server = TcpStream::connect(authority).await.ok()?;
    if method == "CONNECT" {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    } else {
        server.write_all(head.as_bytes()).await.ok()?;
    }
    copy_bidirectional(&mut stream, &mut server).await.ok()?;
    Some(())
}

/// TLS for `localhost` and 127.0.0.1 in front of a server.
pub struct Tls {
    address: SocketAddr,
    directory: PathBuf,
    _serving: JoinSet<()>,
}

impl Tls {
    pub async fn before(server: SocketAddr) -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf = CertificateParams::new(names).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let directory =
            std::env::temp_dir().join(format!("smr-ca-{}-{}", std::process::id(), address.port()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("ca.pem"), ca_pem).unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    // A client that does not trust us ends the handshake.
                    let mut stream = acceptor.accept(stream).await.ok()?;
                    let mut server = TcpStream::connect(server).await.ok()?;
                    copy_bidirectional(&mut stream, &mut server).await.ok()
                });
            }
        });
        Self {
            address,
            directory,
            _serving: serving,
        }
    }

    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.address.port())
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.authority())
    }

    /// The CA's certificate, for SSL_CERT_FILE.
    pub fn ca(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// Its directory, for SSL_CERT_DIR.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
