//! What is on a service's port.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::anyhow;

use super::Service;

const CONNECT_MAX: Duration = Duration::from_secs(2);
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// What a port does when it is spoken to.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// Nothing listens.
    Nothing,
    /// The service, and tests would be served.
    Serves,
    /// Something listens that would not serve the tests, for this reason.
    Unfit(String),
}

/// Speaks to the service's port; takes a few seconds at most.
pub fn probe(service: &Service) -> Answer {
    let mut stream = match connect(service.port) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Answer::Nothing,
        Err(error) => return Answer::Unfit(format!("cannot connect: {error}")),
    };
    match (service.greet)(&mut stream) {
        Ok(()) => Answer::Serves,
        Err(error) => Answer::Unfit(format!("{error:#}")),
    }
}

/// A connection to the port that does not wait for ever.
pub fn connect(port: u16) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    Ok(stream)
}

/// What a failed read from such a connection means.
pub fn silence(error: io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            anyhow!("it said nothing for {} s", ANSWER_MAX.as_secs())
        }
        ErrorKind::UnexpectedEof => anyhow!("it hung up"),
        _ => error.into(),
    }
}

#[cfg(test)]
pub mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread;

    /// What `greet` makes of a server that reads a little and writes these answers.
    pub fn greeted(
        greet: fn(&mut TcpStream) -> anyhow::Result<()>,
        answers: &'static [&'static [u8]],
    ) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in answers {
                let _ = stream.read(&mut [0; 1024]).unwrap();
                stream.write_all(answer).unwrap();
            }
            // Whoever closes with something unread takes the answer back. The client may have hung
            // up already, having seen enough.
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let mut stream = TcpStream::connect(address).unwrap();
        let result = greet(&mut stream).map_err(|error| format!("{error:#}"));
        drop(stream);
        server.join().unwrap();
        result
    }
}
