//! An answer as it arrives in pieces: its first line and, if the body must contain some text, only as much of the body
//! as is needed to find it.

use crate::status_line::StatusLine;

/// How much of an answer is examined, in bytes.
const MOST: usize = 1 << 20;
/// The empty line at the end of the head of an answer.
const BLANK_LINES: [&[u8]; 2] = [b"\n\r\n", b"\n\n"];

/// An answer that may be incomplete.
#[derive(Debug)]
pub(crate) struct Answer {
    line: StatusLine,
    content: String,
    step: Step,
    /// The last bytes that arrived, because the wanted text may extend over two pieces.
    tail: Vec<u8>,
    taken: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    FirstLine,
    Head,
    Body,
}

impl Answer {
    /// An answer of which nothing has arrived; its body must contain `content`.
    pub(crate) fn awaited(content: &str) -> Self {
        let content = content.to_owned();
        Self { line: StatusLine::default(), content, step: Step::FirstLine, tail: Vec::new(), taken: 0 }
    }

    /// Takes the bytes that have arrived. Returns `Some` once the result is known.
    pub(crate) fn take(&mut self, arrived: &[u8]) -> Option<Result<(), String>> {
        let mut rest = arrived;
        if self.step == Step::FirstLine {
            let end = arrived.iter().position(|byte| *byte == b'\n');
            match self.line.take(arrived)? {
                Err(reason) => return Some(Err(reason)),
                Ok(()) if self.content.is_empty() => return Some(Ok(())),
                Ok(()) => self.step = Step::Head,
            }
            // In an answer without headers the empty line follows the first one directly.
            rest = &arrived[end.unwrap_or(0)..];
        }
        self.taken += rest.len();
        self.tail.extend(rest);
        if self.step == Step::Head {
            let ends = BLANK_LINES.iter().filter_map(|line| Some(find(&self.tail, line)? + line.len()));
            if let Some(end) = ends.min() {
                self.tail.drain(..end);
                self.step = Step::Body;
            }
        }
        let needle = self.content.as_bytes();
        if self.step == Step::Body && find(&self.tail, needle).is_some() {
            return Some(Ok(()));
        }
        let kept = needle.len().max(BLANK_LINES[0].len()) - 1;
        self.tail.drain(..self.tail.len().saturating_sub(kept));
        (self.taken >= MOST).then(|| Err(format!("{:?} is not in the first MiB of its answer", self.content)))
    }

    /// The reason to give if the other side closes the connection now.
    pub(crate) fn why_cut_off(&self) -> String {
        match self.step {
            Step::FirstLine => self.line.why_cut_off(),
            Step::Head | Step::Body => format!("{:?} is not in its answer", self.content),
        }
    }

    /// The message at the deadline: how much of the answer has arrived.
    pub(crate) fn late(&self) -> String {
        match self.step {
            Step::FirstLine => self.line.late(),
            Step::Head | Step::Body => format!("{:?} was not in its answer", self.content),
        }
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(content: &str, answer: &[u8], piece: usize) -> Option<Result<(), String>> {
        let mut awaited = Answer::awaited(content);
        answer.chunks(piece).find_map(|piece| awaited.take(piece))
    }

    #[test]
    fn what_must_be_in_the_body_is_found_however_the_answer_is_cut() {
        let answer = b"HTTP/1.1 200 OK\r\nX-Ready: all good\r\n\r\n{\"state\": \"all good\"}";
        for piece in 1..=answer.len() {
            assert_eq!(judged("all good", answer, piece), Some(Ok(())), "{piece}");
            assert_eq!(judged("X-Ready", answer, piece), None, "a header is no body: {piece}");
        }
        for answer in [&b"HTTP/1.0 200 OK\n\nok"[..], b"HTTP/1.0 200 OK\r\n\r\nok"] {
            assert_eq!(judged("ok", answer, 3), Some(Ok(())));
        }
        assert_eq!(judged("", b"HTTP/1.0 200 OK\n\n", 99), Some(Ok(())));
    }

    #[test]
    fn what_is_not_there_is_not_looked_for_without_end() {
        let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        answer.resize(10 << 20, b'x');
        let mut awaited = Answer::awaited("ok");
        let said = answer.chunks(4096).find_map(|piece| awaited.take(piece)).expect("it is decided");
        assert_eq!(said, Err("\"ok\" is not in the first MiB of its answer".to_owned()));
        assert!(awaited.tail.len() < 4096);
        let refused = judged("ok", b"HTTP/1.1 503 Busy\r\n\r\nok", 99).expect("decided");
        assert_eq!(refused, Err("it answered \"HTTP/1.1 503 Busy\"".to_owned()));
    }
}
