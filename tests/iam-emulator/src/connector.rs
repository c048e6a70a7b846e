//! The AWS SDK's HTTP client in process: SDK requests enter, answers leave. No IO.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use crate::emulator::{Emulator, Incoming};

/// An emulator as an SDK's HTTP client: `config.http_client(Connector::new(&emulator))`.
#[derive(Clone)]
pub struct Connector(Emulator);

impl Connector {
    /// A client that reaches this emulator only.
    pub fn new(emulator: &Emulator) -> Self {
        Self(emulator.clone())
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpClient for Connector {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let emulator = self.0.clone();
        HttpConnectorFuture::new(async move {
            let header = |name| request.headers().get(name).unwrap_or_default().to_owned();
            let body = request.body().bytes().unwrap_or_default();
            let incoming = Incoming {
                authorization: header("authorization"),
                user_agent: header("user-agent"),
                body: String::from_utf8_lossy(body).into_owned(),
            };
            let closed = || ConnectorError::io("connection closed before the answer".into());
            let reply = emulator.handle(incoming).await.ok_or_else(closed)?;
            let status = reply
                .status
                .try_into()
                .map_err(|error| ConnectorError::other(Box::new(error), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
            response
                .headers_mut()
                .insert("x-amzn-requestid", reply.request_id);
            Ok(response)
        })
    }
}
