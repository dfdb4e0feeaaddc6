//! Keeps requests away from addresses that are not public.
//!
//! A URL from a file, from an answer or from a redirect may lead into the network that the engine
//! stands in: to databases, to other people's pages, to a cloud's credentials. So a name is
//! resolved here, every address of it is looked at, and the connection goes to one of those: a name
//! that resolves to something else a moment later is of no use. Where one address is not public,
//! none is taken. Proxies are not asked, since they would resolve the name themselves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};
use url::{Host, Url};

/// How long it may take to reach somebody.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Where requests may go.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    allow_private: bool,
}

/// A place that requests may not go to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no HTTP.
    #[error("`{0}` is no http:// or https:// URL")]
    Scheme(String),
    /// It names nobody.
    #[error("`{0}` names no host")]
    Host(String),
    /// It is not public.
    #[error("`{host}` is {address}, which is no public address (hint: `allow_private: true`)")]
    Private {
        /// As it was asked for.
        host: String,
        /// What it is.
        address: IpAddr,
    },
}

impl Guard {
    /// Lets requests go to public addresses, or anywhere.
    pub fn new(allow_private: bool) -> Self {
        Self { allow_private }
    }

    /// Whether a request may go there, as far as the URL tells. Names are looked at when they are
    /// resolved. To be asked of every URL before it is requested, those of redirects too.
    pub fn check(self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused::Scheme(url.scheme().to_owned()));
        }
        let address = match url.host() {
            None => return Err(Refused::Host(url.to_string())),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        self.check_address(url.host_str().unwrap_or_default(), address)
    }

    /// A client whose connections go where requests may go. It follows no redirects.
    pub fn client(self, timeout: Duration) -> reqwest::Result<Client> {
        super::choose_tls();
        Client::builder()
            .user_agent(concat!("waystation/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_MAX.min(timeout))
            .timeout(timeout)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(std::sync::Arc::new(self))
            .build()
    }

    fn check_address(self, host: &str, address: IpAddr) -> Result<(), Refused> {
        if self.allow_private || is_public(address) {
            return Ok(());
        }
        Err(Refused::Private { host: host.to_owned(), address })
    }

    async fn addresses(self, host: String) -> Result<Vec<SocketAddr>, Error> {
        let addresses: Vec<_> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
        for address in &addresses {
            self.check_address(&host, address.ip())?;
        }
        Ok(addresses)
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, host) = (*self, name.as_str().to_owned());
        Box::pin(async move {
            let addresses = guard.addresses(host).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public network's.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    // In turn: this network, loopback, multicast, the future's and broadcast; carriers' own;
    // protocols' own; the old relays of IPv6; benchmarks.
    let reserved = matches!(
        (a, b, c),
        (0 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (192, 0, 0)
            | (192, 88, 99)
            | (198, 18 | 19, _)
    );
    !reserved && !address.is_private() && !address.is_link_local() && !address.is_documentation()
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let octets = address.octets();
    let embedded = |at: usize| {
        is_public_v4(Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]))
    };
    match parts {
        // IPv4 in another form.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => embedded(12),
        [0x2002, ..] => embedded(2),
        // Protocols' own, Teredo among them; documentation.
        [0x2001, second, ..] => second >= 0x0200 && second != 0x0db8,
        [0x3fff, second, ..] => second >= 0x1000,
        // What is given out for everybody's use.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_told_from_others() {
        let public = [
            "1.1.1.1",
            "93.184.216.34",
            "100.63.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ];
        let others = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "5f00::1",
        ];
        for (addresses, expected) in [(&public[..], true), (&others[..], false)] {
            for address in addresses {
                let address: IpAddr = address.parse().expect("an address");
                assert_eq!(is_public(address), expected, "{address}");
            }
        }
    }

    #[test]
    fn urls_that_lead_elsewhere_are_refused() {
        for (url, words) in [
            ("http://127.0.0.1/", "is no public address"),
            ("http://0x7f.1/", "is no public address"),
            ("http://2130706433/", "is no public address"),
            ("http://[::1]:8080/x", "is no public address"),
            ("http://169.254.169.254/latest/meta-data", "is no public address"),
            ("file:///etc/passwd", "is no http:// or https:// URL"),
            ("gopher://x/", "is no http:// or https:// URL"),
        ] {
            let parsed = Url::parse(url).expect(url);
            let error = Guard::new(false).check(&parsed).expect_err(url).to_string();
            assert!(error.contains(words), "{url}: {error}");
        }
        let local = Url::parse("http://127.0.0.1:1/").expect("a URL");
        assert_eq!(Guard::new(true).check(&local), Ok(()));
        assert_eq!(Guard::new(false).check(&Url::parse("https://a.b/c").expect("a URL")), Ok(()));
    }

    #[tokio::test]
    async fn names_are_looked_at_when_they_are_resolved() {
        let error =
            Guard::new(false).addresses("localhost".to_owned()).await.expect_err("loopback");
        let refused = error.downcast::<Refused>().expect("by the guard");
        assert!(matches!(*refused, Refused::Private { .. }), "{refused}");
        assert!(Guard::new(true).addresses("localhost".to_owned()).await.is_ok());
    }
}
