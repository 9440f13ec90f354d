//! `logs`: splits the output of containers into streams and lines.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::pin::Pin;

use formation::{Slot, Stream};
use futures_util::stream::{self, SelectAll};
use futures_util::{Stream as Frames, StreamExt};
use ps_engine::{Engine, Fault, LogOutput};
use ps_scheduler::{Error, LogLine, LogRequest};

use crate::app;
use crate::docker_local::DockerLocal;
use crate::failed::failed;

/// A line longer than this is handed out in pieces.
const MAX_LINE_BYTES: usize = 1 << 20;

type Tagged = Pin<Box<dyn Frames<Item = (Slot, Result<LogOutput, Fault>)>>>;

/// Passes lines of the containers to `sink` until there are no more, or `sink` stops. Without `follow` it goes through one
/// instance after the other; with it, lines come in the order in which they are written.
pub(crate) fn logs(
    docker: &DockerLocal,
    request: &LogRequest,
    sink: &mut dyn FnMut(&LogLine) -> ControlFlow<()>,
) -> Result<(), Error> {
    let records = app::records(docker.world(), &request.app)?;
    let slots = app::chosen(&records, &request.app, &request.which)?;
    let engine = docker.engine()?;
    let open = |slot: Slot| {
        let id = records.slots.get(&slot)?.id.clone()?;
        let frames = engine.output(&id, request.tail, request.follow);
        Some(Box::pin(frames.map(move |frame| (slot.clone(), frame))) as Tagged)
    };
    let opened = slots.into_iter().filter_map(open);
    let all: Tagged = if request.follow {
        Box::pin(opened.collect::<SelectAll<Tagged>>())
    } else {
        Box::pin(stream::iter(opened.collect::<Vec<_>>()).flatten())
    };
    engine.run(hand_out(engine, request, all, sink))
}

async fn hand_out(
    engine: &Engine,
    request: &LogRequest,
    mut frames: Tagged,
    sink: &mut dyn FnMut(&LogLine) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut lines = Lines::default();
    while let Some((slot, frame)) =
        next(engine, &mut frames, request.follow).await.map_err(|fault| unread(request, fault))?
    {
        let frame =
            frame.map_err(|fault| failed(fault, format!("read the log of {slot} of {}", request.app)))?;
        if lines.take(&slot, &frame, sink).is_break() {
            return Ok(());
        }
    }
    lines.finish(sink);
    Ok(())
}

async fn next(
    engine: &Engine,
    frames: &mut Tagged,
    follow: bool,
) -> Result<Option<(Slot, Result<LogOutput, Fault>)>, Fault> {
    if follow {
        return Ok(frames.next().await);
    }
    engine.in_time(frames.next()).await
}

fn unread(request: &LogRequest, fault: Fault) -> Error {
    failed(fault, format!("read the log of {}", request.app))
}

/// Incomplete lines: a frame of the engine may hold a part of a line, or several lines.
#[derive(Default)]
struct Lines(HashMap<(Slot, bool), Vec<u8>>);

impl Lines {
    fn take(
        &mut self,
        slot: &Slot,
        frame: &LogOutput,
        sink: &mut dyn FnMut(&LogLine) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let is_stderr = matches!(frame, LogOutput::StdErr { .. });
        let begun = self.0.entry((slot.clone(), is_stderr)).or_default();
        for piece in frame.as_ref().split_inclusive(|byte| *byte == b'\n') {
            begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                begun.pop();
            } else if begun.len() < MAX_LINE_BYTES {
                continue;
            }
            sink(&line(slot, is_stderr, std::mem::take(begun)))?;
        }
        ControlFlow::Continue(())
    }

    fn finish(self, sink: &mut dyn FnMut(&LogLine) -> ControlFlow<()>) {
        let mut begun: Vec<_> = self.0.into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
        begun.sort();
        for ((slot, is_stderr), bytes) in begun {
            if sink(&line(&slot, is_stderr, bytes)).is_break() {
                return;
            }
        }
    }
}

fn line(slot: &Slot, is_stderr: bool, bytes: Vec<u8>) -> LogLine {
    let stream = if is_stderr { Stream::Stderr } else { Stream::Stdout };
    LogLine { slot: slot.clone(), stream, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(frames: Vec<LogOutput>) -> Vec<String> {
        let slot = "web.1".parse().expect("a legal slot");
        let mut seen = Vec::new();
        let mut sink = |line: &LogLine| {
            seen.push(format!("{:?} {}", line.stream, String::from_utf8_lossy(&line.bytes)));
            ControlFlow::Continue(())
        };
        let mut lines = Lines::default();
        for frame in frames {
            assert!(lines.take(&slot, &frame, &mut sink).is_continue());
        }
        lines.finish(&mut sink);
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
