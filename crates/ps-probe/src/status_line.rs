//! The first line of a response, as it arrives in pieces. What comes after it does not matter to a check that only asks
//! for the status.

/// The longest status line that is read, in bytes.
const LONGEST: usize = 8192;
/// How much of an invalid line is shown, in characters.
const SHOWN: usize = 60;
/// The beginning of the answer of a TLS server to a request without TLS: an alert, version 3 of the record layer.
const ALERT: [u8; 2] = [0x15, 3];
const SPEAKS_TLS: &str = "it speaks TLS and not plain http: set the scheme of the check to https";

/// A status line that may be incomplete.
#[derive(Debug, Default)]
pub(crate) struct StatusLine {
    bytes: Vec<u8>,
}

impl StatusLine {
    /// Adds bytes that have arrived; `Some` once the line is complete, or too long.
    pub(crate) fn take(&mut self, arrived: &[u8]) -> Option<Result<(), String>> {
        let end = arrived.iter().position(|byte| *byte == b'\n');
        self.bytes.extend(&arrived[..end.unwrap_or(arrived.len())]);
        let is_whole = end.is_some() || self.bytes.len() >= LONGEST;
        is_whole.then(|| self.judge())
    }

    /// The reason to give if the connection is closed before the line is complete.
    pub(crate) fn why_cut_off(&self) -> String {
        if self.bytes.is_empty() {
            "it closed the connection without an answer".to_owned()
        } else if self.bytes.starts_with(&ALERT) {
            SPEAKS_TLS.to_owned()
        } else {
            format!("it closed the connection in the middle of its first line, {}", self.shown())
        }
    }

    /// The message at the deadline: how much of the line has arrived.
    pub(crate) fn late(&self) -> String {
        if self.bytes.is_empty() {
            "no answer".to_owned()
        } else {
            format!("no whole answer, only {}", self.shown())
        }
    }

    /// Checks the line `HTTP/1.1 204 No Content`: a version, a blank, three digits, and any text.
    fn judge(&self) -> Result<(), String> {
        let mut words = self.bytes.trim_ascii_end().splitn(3, |byte| *byte == b' ');
        let is_http = words.next().is_some_and(|word| word.starts_with(b"HTTP/"));
        let is_success = words.next().is_some_and(|code| {
            code.len() == 3 && code.starts_with(b"2") && code.iter().all(u8::is_ascii_digit)
        });
        match (is_http && is_success, self.bytes.starts_with(&ALERT)) {
            (true, _) => Ok(()),
            (false, true) => Err(SPEAKS_TLS.to_owned()),
            (false, false) => Err(format!("it answered {}", self.shown())),
        }
    }

    fn shown(&self) -> String {
        let text = String::from_utf8_lossy(self.bytes.trim_ascii_end());
        let is_cut = text.chars().nth(SHOWN).is_some();
        let shown: String = text.chars().take(SHOWN).collect();
        format!("{shown:?}{}", if is_cut { "…" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pieces: &[&[u8]]) -> Option<Result<(), String>> {
        let mut line = StatusLine::default();
        pieces.iter().find_map(|piece| line.take(piece))
    }

    #[test]
    fn three_digits_that_begin_with_two_are_success_in_however_many_pieces_they_come() {
        for pieces in
            [&[&b"HTTP/1.1 200 OK\r\n\r\nbody"[..]][..], &[b"HT", b"TP/1.0 2", b"04\n"], &[b"HTTP/2 299\r\n"]]
        {
            assert_eq!(judged(pieces), Some(Ok(())), "{pieces:?}");
        }
        assert_eq!(judged(&[b"HTTP/1.1 200 OK"]), None);
    }

    #[test]
    fn anything_else_is_shown_in_one_short_line() {
        for (line, shown) in [
            (&b"HTTP/1.1 500 Oh\r\n"[..], r#"it answered "HTTP/1.1 500 Oh""#),
            (b"HTTP/1.1 2000 x\n", r#"it answered "HTTP/1.1 2000 x""#),
            (b"HTTP/1.1 2x0 x\n", r#"it answered "HTTP/1.1 2x0 x""#),
            (b"SSH-2.0 200\n", r#"it answered "SSH-2.0 200""#),
            (b"\x1b[31m\xff\n", "it answered \"\\u{1b}[31m\u{fffd}\""),
            (b"\n", r#"it answered """#),
        ] {
            assert_eq!(judged(&[line]), Some(Err(shown.to_owned())));
        }
        let endless = vec![b'x'; LONGEST];
        let said = judged(&[&endless]).expect("too long to become a line").expect_err("no HTTP");
        assert!(said.ends_with('…') && said.chars().count() < 100, "{said}");
    }
}
