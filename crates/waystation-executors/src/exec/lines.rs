//! Lines of a program's output, none longer than a limit.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The longest line that is kept; the rest of a longer one is read and thrown away.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The text; what is no UTF-8 is replaced.
    pub text: String,
    /// Whether it was longer.
    pub cut: bool,
}

/// Reads lines.
pub struct Lines<R> {
    reader: R,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Reads from the beginning.
    pub fn new(reader: R) -> Self {
        Self { reader }
    }

    /// The next line; `None` at the end, or when reading fails.
    pub async fn next(&mut self) -> Option<Line> {
        let mut bytes = Vec::new();
        let mut cut = false;
        let mut any = false;
        loop {
            let buffer = self.reader.fill_buf().await.ok()?;
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = LINE_BYTES_MAX.saturating_sub(bytes.len());
            cut |= part.len() > room;
            bytes.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(part.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        any.then(|| Line { text: String::from_utf8_lossy(&bytes).into_owned(), cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_cut_at_the_limit_and_read_on() {
        let mut input = b"one\r\n\n".to_vec();
        input.extend(std::iter::repeat_n(b'x', LINE_BYTES_MAX + 5));
        input.extend(b"\nlast");
        let mut lines = Lines::new(input.as_slice());
        let mut got = Vec::new();
        while let Some(line) = lines.next().await {
            got.push((line.text.len(), line.cut));
        }
        assert_eq!(got, [(3, false), (0, false), (LINE_BYTES_MAX, true), (4, false)]);
    }
}
