//! TLS to a server, by rustls. Knows nothing of PostgreSQL but its name in the handshake, and how a password's
//! exchange is bound to a certificate.

mod certificate;
mod files;
mod settings;
mod verifier;

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use files::FileError;
pub use settings::{Mode, TlsSettings};

/// What PostgreSQL is called where protocols are agreed on (ALPN). Source: PostgreSQL 17, 53.2.11.
const PROTOCOL: &[u8] = b"postgresql";

/// How TLS is spoken, with the same for every host.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// Whether it begins at once, without asking the server whether it speaks it.
    pub direct: bool,
    /// Whether the server's certificate has to be for its name.
    names: bool,
}

/// Makes encrypted connections; without TLS it is never asked.
#[derive(Debug, Clone)]
pub(super) struct Connector(pub Option<Tls>);

/// The same for one host.
pub(super) struct HostConnector {
    tls: Option<Tls>,
    host: String,
}

/// An encrypted stream.
pub(super) struct Stream<S>(TlsStream<S>);

type Connecting<S> = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

impl<S> MakeTlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = HostConnector;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<HostConnector> {
        Ok(HostConnector { tls: self.0.clone(), host: host.to_owned() })
    }
}

impl<S> TlsConnect<S> for HostConnector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Connecting<S>;

    fn connect(self, stream: S) -> Connecting<S> {
        Box::pin(async move {
            let tls = self.tls.ok_or(io::ErrorKind::Unsupported)?;
            let name = match ServerName::try_from(self.host) {
                Ok(name) => name,
                // What is no name in DNS, such as one with a space, is sent to nobody and compared to nothing.
                Err(_) if !tls.names => {
                    ServerName::from(std::net::IpAddr::from(Ipv4Addr::UNSPECIFIED))
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidInput, error)),
            };
            let stream = TlsConnector::from(tls.config).connect(name, stream).await?;
            if tls.direct && stream.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
                let message = "the server did not agree to speak PostgreSQL's protocol";
                return Err(io::Error::other(message));
            }
            Ok(Stream(stream))
        })
    }
}

impl<S> tokio_postgres::tls::TlsStream for Stream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn channel_binding(&self) -> ChannelBinding {
        let certificates = self.0.get_ref().1.peer_certificates().unwrap_or_default();
        let digest = certificates.first().and_then(certificate::end_point);
        digest.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
