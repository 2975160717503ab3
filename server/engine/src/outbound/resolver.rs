//! From a name to addresses that may be connected to. What was checked here is what the connection is made to: nobody
//! resolves the name a second time.

use super::reach::Reach;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Asks for the addresses of a name.
pub(super) trait Lookup: Send + Sync {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// What the machine's resolver says.
pub(super) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name whose addresses must not be asked.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to {0}, which may not be reached")]
pub(super) struct OutOfReach(pub(super) IpAddr);

/// Resolves and refuses a name of which any address is out of reach.
pub(super) struct Resolver {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) reach: Reach,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (asked, reach) = (self.lookup.lookup(name.as_str().to_owned()), self.reach.clone());
        Box::pin(async move {
            let found = asked.await?;
            if let Some(bad) = found.iter().find(|address| !reach.allows(**address)) {
                return Err(OutOfReach(*bad).into());
            }
            // The port is the one of the URL.
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
