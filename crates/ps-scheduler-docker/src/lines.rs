//! Joins the frames in which the engine returns output into lines.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::SystemTime;

use formation::{Slot, Stream};
use ps_engine::{LogOutput, Moment};
use ps_scheduler::{LogLine, LogSink};

/// A longer line is passed on in pieces, in bytes.
const MAX_LINE_BYTES: usize = 1 << 20;

/// The receiver of lines. It returns `Break` when it wants no more.
pub(crate) type Sink<'a> = dyn LogSink + 'a;

/// A container that writes: its slot, and the number of its run, if the label can be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Writer {
    pub(crate) slot: Slot,
    pub(crate) run: Option<u64>,
    /// The container's id.
    pub(crate) id: String,
}

/// Incomplete lines: a frame may contain a part of a line, or several. The key is the container, and whether the stream is its
/// stderr.
#[derive(Default)]
pub(crate) struct Lines(BTreeMap<(Writer, bool), Begun>);

/// A line that is not complete yet, and when it began.
#[derive(Default)]
struct Begun {
    at: Option<SystemTime>,
    bytes: Vec<u8>,
}

impl Lines {
    /// Passes on the lines that this frame completes, which came at that moment.
    pub(crate) fn take(
        &mut self,
        writer: &Writer,
        moment: Option<&Moment>,
        frame: &LogOutput,
        sink: &mut Sink<'_>,
    ) -> ControlFlow<()> {
        let is_stderr = matches!(frame, LogOutput::StdErr { .. });
        let begun = self.0.entry((writer.clone(), is_stderr)).or_default();
        for piece in frame.as_ref().split_inclusive(|byte| *byte == b'\n') {
            if begun.bytes.is_empty() {
                begun.at = moment.and_then(Moment::time);
            }
            begun.bytes.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                begun.bytes.pop();
            } else if begun.bytes.len() < MAX_LINE_BYTES {
                continue;
            }
            sink.line(&line(writer, is_stderr, std::mem::take(begun)))?;
        }
        ControlFlow::Continue(())
    }

    /// Whether a line of this container is incomplete.
    pub(crate) fn waits_for(&self, writer: &Writer) -> bool {
        let of = |is_stderr| self.0.get(&(writer.clone(), is_stderr));
        [false, true].into_iter().filter_map(of).any(|begun| !begun.bytes.is_empty())
    }

    /// Passes on the incomplete line of a container that writes no more.
    pub(crate) fn finish(&mut self, writer: &Writer, sink: &mut Sink<'_>) -> ControlFlow<()> {
        for is_stderr in [false, true] {
            let begun = self.0.remove(&(writer.clone(), is_stderr)).unwrap_or_default();
            if !begun.bytes.is_empty() {
                sink.line(&line(writer, is_stderr, begun))?;
            }
        }
        ControlFlow::Continue(())
    }
}

fn line(writer: &Writer, is_stderr: bool, Begun { at, bytes }: Begun) -> LogLine {
    let stream = if is_stderr { Stream::Stderr } else { Stream::Stdout };
    LogLine { slot: writer.slot.clone(), run: writer.run, stream, at, bytes, shown: 0, is_begun: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(frames: Vec<LogOutput>) -> Vec<String> {
        let slot = "web.1".parse().expect("a legal slot");
        let writer = Writer { slot, run: Some(7), id: "c".to_owned() };
        let mut seen = Vec::new();
        let mut sink = |line: &LogLine| {
            seen.push(format!("{:?} {}", line.stream, String::from_utf8_lossy(&line.bytes)));
            ControlFlow::Continue(())
        };
        let mut lines = Lines::default();
        for frame in frames {
            assert!(lines.take(&writer, None, &frame, &mut sink).is_continue());
        }
        assert!(lines.finish(&writer, &mut sink).is_continue());
        seen
    }

    fn out(text: &'static str) -> LogOutput {
        LogOutput::StdOut { message: text.into() }
    }

    #[test]
    fn lines_are_put_together_from_frames_of_each_stream() {
        let err = LogOutput::StdErr { message: "oops\n".into() };
        let frames = vec![out("a\n\nb"), err, out("c\r\n"), out("d")];
        assert_eq!(lines(frames), ["Stdout a", "Stdout ", "Stderr oops", "Stdout bc\r", "Stdout d"]);
    }

    #[test]
    fn a_line_without_an_end_is_handed_out_in_pieces() {
        let half = "x".repeat(MAX_LINE_BYTES / 2);
        let frame = |text: &String| LogOutput::StdOut { message: text.clone().into() };
        let seen = lines(vec![frame(&half), frame(&half), frame(&half), out("\nend\n")]);
        let lengths: Vec<usize> = seen.iter().map(|line| line.len() - "Stdout ".len()).collect();
        assert_eq!(lengths, [MAX_LINE_BYTES, MAX_LINE_BYTES / 2, 3]);
    }
}
