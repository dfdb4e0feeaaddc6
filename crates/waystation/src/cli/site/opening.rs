//! Which site a command is for, and how it is opened.

use waystation::config::Origin;

use super::{Here, ServerUrl, Site, There};
use crate::cli::exit::Error;
use crate::cli::session::Global;

/// What those are called that the system knows no name of.
const NOBODY: &str = "local";

impl Global {
    /// The site, which must be there already.
    pub async fn site(&self) -> Result<Site, Error> {
        self.site_as(None).await
    }

    /// The same, for somebody else than who runs the program. A server knows by the token who asks.
    pub async fn site_as(&self, name: Option<&str>) -> Result<Site, Error> {
        if let Some(there) = self.there()? {
            if let Some(name) = name {
                return Err(Error::usage(format!(
                    "--by {name}: a server knows by the token who asks (hint: leave it out)"
                )));
            }
            return Ok(Site::There(there));
        }
        let session = self.open_existing().await?;
        let name = name.map_or_else(person, ToOwned::to_owned);
        Ok(Site::Here(Here::new(session.client(), name).await?))
    }

    /// The same, and a store is made where there is none.
    pub async fn site_to_make(&self) -> Result<Site, Error> {
        if let Some(there) = self.there()? {
            return Ok(Site::There(there));
        }
        self.refuse_fleeting_store()?;
        let session = self.open().await?;
        Ok(Site::Here(Here::new(session.client(), person()).await?))
    }

    fn there(&self) -> Result<Option<There>, Error> {
        let Some(server) = self.server_url()? else {
            if self.token.is_some() {
                let message = "--token is for a server (hint: --server URL, or $WAYSTATION_SERVER)";
                return Err(Error::usage(message));
            }
            return Ok(None);
        };
        if let Some((name, _)) = self.sets.first() {
            return Err(Error::usage(format!(
                "--set {name}=…: a server gives names in pipeline files the values of its own \
                 environment (hint: leave it out)"
            )));
        }
        There::new(server, self.settings().token.as_deref()).map(Some)
    }

    /// The server that is asked, if one is. The command line goes before all other places.
    pub fn server_url(&self) -> Result<Option<ServerUrl>, Error> {
        let places = [
            ("--store", &self.store),
            ("--queue", &self.queue),
            ("--bus", &self.bus),
            ("--blobs", &self.blobs),
        ];
        let own = places.into_iter().find(|(_, given)| given.is_some());
        match (&self.server, own) {
            (Some(_), Some((option, _))) => Err(Error::usage(format!(
                "--server and {option} name two places to act in (hint: leave one out)"
            ))),
            (None, Some(_)) => Ok(None),
            (_, None) => {
                let url = self.settings().server.as_ref().filter(|_| self.server_goes_first());
                url.map(|url| ServerUrl::parse(url)).transpose()
            }
        }
    }

    /// Whether the server is named in no earlier place than the store: a variable that names a
    /// store goes before a file that names a server.
    fn server_goes_first(&self) -> bool {
        let rank = |key| self.config().origin(key).map_or(0, Origin::rank);
        ["store", "queue", "bus", "blobs"].into_iter().all(|key| rank("server") >= rank(key))
    }

    /// Where the site is, for messages: without passwords.
    #[cfg(feature = "top")]
    pub fn site_words(&self) -> Result<String, Error> {
        Ok(match self.server_url()? {
            Some(server) => server.to_string(),
            None => waystation::backends::shown(&self.url()),
        })
    }

    /// Refuses a server that is named to a command that does its work in this process.
    pub fn refuse_server(&self, command: &str, instead: &str) -> Result<(), Error> {
        let option = match (&self.server, &self.token) {
            (Some(_), _) => "--server",
            (None, Some(_)) => "--token",
            (None, None) => return Ok(()),
        };
        let message = format!("{option} means nothing to `{command}`: {instead}");
        Err(Error::usage(message))
    }
}

/// Who runs the program.
fn person() -> String {
    let name = std::env::var("USER").ok().filter(|name| !name.is_empty());
    name.unwrap_or_else(|| NOBODY.to_owned())
}
