//! What the server said, in the words of the port.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use waystation_core::port::Error;

/// What came of a command. Scripts of old servers hide the code of an error in its text.
pub fn explain(name: &str, error: &RedisError) -> Error {
    let said = error.to_string();
    let says = |code: &str| error.code() == Some(code) || said.contains(&format!("-{code} "));
    let unavailable = |message| Error::Unavailable { name: name.to_owned(), message };
    if says("OOM") || (says("MISCONF") && said.contains("No space left")) {
        let hint = "hint: `maxmemory` is reached, or the disk is full";
        return Error::Full { name: name.to_owned(), message: format!("{said} ({hint})") };
    }
    if is_read_only(error) {
        return unavailable(format!("{said} (hint: it is a replica now; was there a failover?)"));
    }
    let hint = match error.kind() {
        ErrorKind::AuthenticationFailed => "user or password is wrong",
        ErrorKind::Server(ServerErrorKind::NoPerm) => {
            "the user needs the rights to the keys, channels and commands, scripts among them"
        }
        _ if says("WRONGPASS") || says("NOAUTH") => "user or password is wrong",
        _ if said.contains("max number of clients") => return unavailable(said),
        _ if said.contains("switch database") => "the server has no database of this number",
        _ if says("WRONGTYPE") => "another program has a key of this name (hint: prefix=NAME)",
        ErrorKind::Server(ServerErrorKind::ResponseError | ServerErrorKind::CrossSlot)
            if !says("BUSY") =>
        {
            "the server does not take what it was told; is it another program or version?"
        }
        _ => return unavailable(said),
    };
    Error::Broken { name: name.to_owned(), message: format!("{said} (hint: {hint})") }
}

/// The server takes no writes: its connections are of no use.
pub fn is_read_only(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        || error.to_string().contains("-READONLY ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(line: &str) -> Error {
        let error = redis::parse_redis_value(format!("-{line}\r\n").as_bytes());
        let error = error.and_then(redis::Value::extract_error).expect_err("an error");
        explain("redis", &error)
    }

    #[test]
    fn answers_are_taken_for_what_they_are() {
        let full = "OOM command not allowed when used memory > 'maxmemory'.";
        let hidden = format!("ERR Error running script (call to f_1): @user_script:7: -{full}");
        for line in
            [full, &hidden, "MISCONF Errors writing to the AOF file: No space left on device"]
        {
            assert!(matches!(server(line), Error::Full { .. }), "{line}");
        }
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "BUSY Redis is busy running a script.",
            "ERR max number of clients reached",
            "MISCONF Redis is configured to save snapshots, but it's unable to persist to disk.",
        ] {
            assert!(
                matches!(server(line), Error::Unavailable { .. }),
                "{line}: {:?}",
                server(line)
            );
        }
        for line in [
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOAUTH Authentication required.",
            "NOPERM this user has no permissions to run the 'evalsha' command",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR unknown command",
        ] {
            assert!(matches!(server(line), Error::Broken { .. }), "{line}: {:?}", server(line));
        }
    }
}
